"""Toolkits: a connector's operations as tools, and any tools made reversible together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from langchain_core.tools import BaseTool, BaseToolkit
from langchain_core.tools import tool as make_tool
from pydantic import ConfigDict, Field

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.function import Hooks, declare
from langchain_agentrein.operation import Operation
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.tool import ReversibleTool

ORCHESTRATION = frozenset({"task", "write_todos"})
"""Tools that only steer other agents; what those do is journaled where they do it."""
HANDOFF = ("transfer_to_", "transfer_back_to_", "handoff_to_", "delegate_to_")


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether credentials can do an operation and undo it.

    Attributes:
        able: `None`: reading cannot tell. It is never guessed.
        said: What is needed, or what stands in the way of telling.
    """

    operation: str
    able: bool | None
    said: str = ""


class Toolkit(BaseToolkit):
    """The tools of one connector. They bind through the middleware, or through `rein.tools(...)`.

    Args:
        client: The connector's client.
        include: Only these operations, by name or tool name.
        exclude: All but these.
        read_only: Only operations that change nothing.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    connector: ClassVar[str]
    operations: ClassVar[tuple[type[Operation], ...]]

    client: Any = Field(exclude=True, repr=False)
    include: Collection[str] | None = None
    exclude: Collection[str] = ()
    read_only: bool = False

    @classmethod
    def from_env(cls) -> Self:
        """The toolkit with a client from the environment.

        Raises:
            ConfigError: A variable is missing; it says which.
        """
        raise ConfigError(f"{cls.__name__} has no client in the environment: build it with a client")

    def abilities(self, place: str | None = None) -> Sequence[Ability]:
        """Whether these credentials can do each operation, and undo it: for `agentrein doctor`.

        A connector overrides it where reading tells; it never tries by writing.

        Args:
            place: Where, in the connector's own words: for GitHub a repository, as owner/name.
        Raises:
            NotDone: The credentials open nothing, or nobody answers.
        """
        why = "this connector does not ask what its credentials may do"
        return [Ability(op.name, None, why) for op in self.operations]

    def get_tools(self) -> list[BaseTool]:
        """The tools, in the order in which the connector lists its operations.

        Raises:
            ConfigError: `include` or `exclude` names an operation that is not there.
        """
        known = {name for op in self.operations for name in (op.name, op.tool_name())}
        for name in (*(self.include or ()), *self.exclude):
            if name not in known:
                raise ConfigError(
                    f"{self.connector} has no operation {name!r}; it has {', '.join(sorted(known))}"
                )
        return [
            ReversibleTool.of_operation(op, self.client)
            for op in self.operations
            if self._wanted(op.name, op.tool_name()) and (op.read_only or not self.read_only)
        ]

    def _wanted(self, *names: str) -> bool:
        chosen = self.include is None or any(name in self.include for name in names)
        return chosen and not any(name in self.exclude for name in names)


class ReversibleToolkit(BaseToolkit):
    """Any tools, functions and toolkits, made reversible together.

        tools = ReversibleToolkit(FilesToolkit("work"), my_tool, rein=rein).get_tools()

    What is reversible already is only bound. A tool that declares nothing about itself is treated
    as irreversible, and the policy's `unknown` decides about it.

    Args:
        rein: Where to journal; `None`: the tools bind through the middleware.
        rationale: Ask the model for a `rationale` with each call; it is journaled, never passed on.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    members: tuple[Any, ...]
    rein: AgentRein | None = Field(default=None, exclude=True, repr=False)
    rationale: bool = False

    def __init__(
        self, *tools_or_toolkits: Any, rein: AgentRein | None = None, rationale: bool = False
    ) -> None:
        super().__init__(members=tools_or_toolkits, rein=rein, rationale=rationale)  # type: ignore[call-arg]

    def get_tools(self) -> list[BaseTool]:
        """The tools, each reversible.

        Raises:
            ConfigError: Two of them share a name, or one is no tool.
        """
        tools = [reversible_form(tool) for tool in _flat(self.members)]
        names = [tool.name for tool in tools]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two tools are called {name!r}: a model could not tell them apart")
        if self.rein is None:
            return [tool.model_copy(update={"rationale": self.rationale or tool.rationale}) for tool in tools]
        return [tool.bound(self.rein, rationale=self.rationale or tool.rationale) for tool in tools]


def reversible_form(tool: BaseTool) -> ReversibleTool:
    """`tool` itself if it is reversible, else a wrapper that journals what it cannot undo."""
    if isinstance(tool, ReversibleTool):
        return tool
    read_only = tool.name in ORCHESTRATION or tool.name.startswith(HANDOFF) or _hinted(tool)
    return ReversibleTool.of_tool(tool, declare(tool, Hooks(declared=False)), read_only=read_only)


def _hinted(tool: BaseTool) -> bool:
    """Whether an MCP server says that the tool only reads (`readOnlyHint`)."""
    hints: Mapping[str, Any] = tool.metadata or {}
    return hints.get("readOnlyHint") is True


def _flat(members: Iterable[Any]) -> Iterator[BaseTool]:
    for member in members:
        if isinstance(member, BaseTool):
            yield member
        elif isinstance(member, BaseToolkit):
            yield from member.get_tools()
        elif isinstance(member, list | tuple):
            yield from _flat(member)
        elif callable(member):
            yield make_tool(member)
        else:
            raise ConfigError(f"{member!r} is neither a tool, a function, nor a toolkit")

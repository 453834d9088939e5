"""What a reversible tool shows of itself: to LangGraph, to the model, and to whoever declares its reverse."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ArgsSchema, BaseTool
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.function import Hook, Hooks, ToolOperation
from langchain_agentrein.operation import Operation
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.tool_schema import (
    RATIONALE,
    RUNTIME,
    call_schema,
    has_argument,
    injection_schema,
    operation_schema,
)

H = TypeVar("H", bound=Hook)


class Face(BaseTool):
    """A tool around another tool, or around a connector's operation."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    operation: type[Operation]
    inner: BaseTool | None = None
    """The wrapped tool; `None` for an operation of a connector."""
    client: Any = Field(default=None, exclude=True, repr=False)
    """The connector's client."""
    rein: AgentRein | None = Field(default=None, exclude=True, repr=False)
    rationale: bool = False
    """Whether the model is asked why, with each call."""
    read_only: bool = False
    """It changes nothing: not journaled, never gated."""

    _injection: type[Any] | None = PrivateAttr(default=None)
    _shown: tuple[Any, ArgsSchema] | None = PrivateAttr(default=None)

    @classmethod
    def of_operation(cls, operation: type[Operation], client: Any) -> Self:
        """The tool of a connector's operation."""
        return cls(
            name=operation.tool_name(),
            description=(operation.__doc__ or operation.name).strip(),
            args_schema=operation,
            operation=operation,
            client=client,
            read_only=operation.read_only,
        )

    @classmethod
    def of_tool(cls, inner: BaseTool, operation: type[ToolOperation], *, read_only: bool = False) -> Self:
        """`inner`, made reversible by `operation`."""
        shared = {name: getattr(inner, name) for name in _SHARED}
        return cls(**shared, operation=operation, inner=inner, read_only=read_only)

    def bound(self, rein: AgentRein, *, rationale: bool | None = None) -> Self:
        """A copy that journals into `rein`."""
        if self.operation.needs_client:
            rein.bind(self.operation.name.partition(".")[0], self.client)
        return self.model_copy(
            update={"rein": rein, "rationale": self.rationale if rationale is None else rationale}
        )

    # -- declaring the reverse beside the forward --------------------------------------------------

    def undo(self, hook: H) -> H:
        """Declare the undo: `@book.undo def cancel(action): ...`."""
        self._hooks.undo = hook
        return hook

    def snapshot(self, hook: H) -> H:
        """Declare what is looked at before: `@book.snapshot def look(**args): ...`."""
        self._hooks.snapshot = hook
        return hook

    def probe(self, hook: H) -> H:
        """Declare how to tell whether it happened: `@book.probe def find(action): ...`."""
        self._hooks.probe = hook
        return hook

    def observe(self, hook: H) -> H:
        """Declare how to look at what it changed: `@book.observe def see(action): ...`."""
        self._hooks.observe = hook
        return hook

    @property
    def _hooks(self) -> Hooks:
        if not issubclass(self.operation, ToolOperation):
            raise ConfigError(f"{self.name} is an operation of a connector: its reverse stands in its class")
        if self.read_only:
            raise ConfigError(f"{self.name} is read_only: it changes nothing that could be undone")
        return self.operation.hooks

    # -- what ToolNode and the model see -----------------------------------------------------------

    @property
    def func(self) -> Any:
        """The wrapped function, in which LangGraph looks for injected arguments."""
        return getattr(self.inner, "func", None)

    @property
    def coroutine(self) -> Any:
        """The wrapped coroutine function, likewise."""
        return getattr(self.inner, "coroutine", None)

    @functools.cached_property
    def _injected_args_keys(self) -> frozenset[str]:
        own = self.inner._injected_args_keys if self.inner is not None else frozenset()
        return frozenset({*own, RUNTIME})

    @property
    def _asks_why(self) -> bool:
        """Whether `rationale` is our argument; a tool that has one of that name keeps it."""
        return self.rationale and not has_argument(self.args_schema, RATIONALE)

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """The wrapped tool's schema, with the hidden argument in which LangGraph lends us its runtime."""
        if self._injection is None:
            if self.inner is None:
                self._injection = operation_schema(
                    self.operation, self.name, self.description, rationale=False
                )
            else:
                self._injection = injection_schema(self.inner.get_input_schema(config), self.inner)
        return self._injection

    @property
    def tool_call_schema(self) -> ArgsSchema:
        """What the model sees: what it sees of the wrapped tool, and `rationale` where that is asked for."""
        face = (self.name, self.description, self._asks_why)
        if self._shown is None or self._shown[0] != face:
            self._shown = (face, self._face())
        return self._shown[1]

    def _face(self) -> ArgsSchema:
        if self.inner is None:
            if not self._asks_why:
                return super().tool_call_schema
            return operation_schema(self.operation, self.name, self.description, rationale=True, hidden=False)
        named = self.inner.model_copy(update={"name": self.name, "description": self.description})
        return call_schema(named, rationale=self._asks_why)

    @property
    def args(self) -> dict[str, Any]:
        """The arguments that the model sees, as JSON schema by name."""
        return super().args if self.inner is None or self._asks_why else self.inner.args

    def visible_args(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """A model's arguments as the operation takes them: without ours, and without forged injected ones."""
        visible = self._visible(dict(args))
        assert isinstance(visible, dict)
        return visible if self.inner is None else self.inner._filter_injected_args(visible)

    def validate_args(self, args: Mapping[str, Any]) -> None:
        """Check arguments that a person wrote.

        Raises:
            ValueError: They do not fit the tool.
        """
        schema = self.operation if self.inner is None else self.inner.tool_call_schema
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            schema.model_validate(dict(args))

    def _visible(self, tool_input: str | dict[str, Any]) -> str | dict[str, Any]:
        """The input without what was added for us."""
        if isinstance(tool_input, str):
            return tool_input
        ours = {RUNTIME, RATIONALE} if self._asks_why else {RUNTIME}
        return {name: value for name, value in tool_input.items() if name not in ours}


_SHARED = (
    "name",
    "description",
    "args_schema",
    "return_direct",
    "response_format",
    "tags",
    "metadata",
    "extras",
    "handle_tool_error",
    "handle_validation_error",
)
"""What a wrapper shows as the wrapped tool shows it."""

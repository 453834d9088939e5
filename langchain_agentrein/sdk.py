"""What a connector says of its vendor's SDK, so that `wrap` can stand before it.

A connector's `sdk` module has one `Sdk`, named `SDK`: a table with a row for each method that an operation covers, a
list of the methods that only read, and a twin of the client that refuses every write which no operation makes.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from pydantic import Field, PrivateAttr, ValidationError

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import ConfigError, NotCovered, NotDone
from langchain_agentrein.journal import jsonable
from langchain_agentrein.operation import Assessment, Operation

_WORD = re.compile("[A-Z]?[a-z]+")
_SAME = {"edit": "update", "remove": "delete"}


class Given:
    """The arguments of one call, by name. Each must be taken: what nobody takes, the operation cannot say."""

    def __init__(self, method: str, operation: type[Operation], arguments: Mapping[str, Any]) -> None:
        self.method, self.operation = method, operation
        self._left = dict(arguments)

    def take(self, name: str, otherwise: Any = None) -> Any:
        """One argument, or `otherwise` where it was not given."""
        return self._left.pop(name, otherwise)

    def named(self, *names: str, **renamed: str) -> dict[str, Any]:
        """Those that were given, as they are; `field="argument"` where the operation has another word for it.

        Raises:
            NotCovered: One is `None`, which an operation would take for not given.
        """
        pairs = [*((name, name) for name in names), *renamed.items()]
        found = {field: self._left.pop(name) for field, name in pairs if name in self._left}
        for field, name in pairs:
            if field in found and found[field] is None:
                self.refuse(name, "it has no None; leave it out")
        return found

    def read(self, name: str, how: Callable[[Any], Any], field: str | None = None) -> dict[str, Any]:
        """One that was given, as `how` reads it."""
        return {field or name: how(self._left.pop(name))} if name in self._left else {}

    def refuse(self, argument: str | None, why: str) -> NoReturn:
        """Say that the operation has no word for this.

        Raises:
            NotCovered: Always.
        """
        what = f"{self.method}({argument}=...)" if argument else f"{self.method}()"
        raise NotCovered(
            f"{what} cannot be said by {self.operation.name}: {why}. Nothing was done",
            method=self.method,
            nearest=self.operation.name,
            argument=argument,
        )

    def done(self) -> None:
        """Look whether something is left.

        Raises:
            NotCovered: An argument was not taken.
        """
        for name in self._left:
            self.refuse(name, "it has no such argument, so its undo would not know of it; leave it out")


@dataclass(frozen=True, slots=True)
class Row:
    """How one method of an SDK becomes an operation.

    Attributes:
        build: `build(owner, given) -> arguments`: the operation's arguments; `owner` is the SDK's object.
        result: `result(owner, args, receipt)`: what the SDK's method would have returned. It may renew `owner`, and
            must not fail because of the network: the effect has happened.
    """

    operation: type[Operation]
    build: Callable[[Any, Given], Mapping[str, Any]]
    result: Callable[[Any, Mapping[str, Any], Json], Any] = lambda owner, args, receipt: None

    def made(self, method: str, owner: Any, arguments: Mapping[str, Any]) -> Operation:
        """The operation of one call.

        Raises:
            NotCovered: It cannot say what the call says.
        """
        given = Given(method, self.operation, arguments)
        args = self.build(owner, given)
        given.done()
        try:
            return self.operation.from_args(args)
        except ValidationError as error:
            [first, *_] = error.errors()
            given.refuse(".".join(map(str, first["loc"])) or None, f"{first['msg']}; give another value")


class UnknownCall(Operation):
    """A method of an SDK that no operation covers. A connector names its own.

    It is recorded with its arguments, and nothing undoes it.
    """

    risk, reversal = Risk.HIGH, Reversal.NONE

    method: str
    target: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)

    _live: Callable[[], Any] | None = PrivateAttr(default=None)
    _nearest: str | None = PrivateAttr(default=None)

    def arm(self, live: Callable[[], Any], nearest: str | None) -> None:
        """Give it the call of the SDK's own method as its effect.

        Args:
            nearest: The operation that comes closest.
        """
        self._live, self._nearest = live, nearest

    @property
    def nearest(self) -> str | None:
        """The operation that comes closest, if any does."""
        return self._nearest

    def assess(self, api: Any) -> Assessment:
        close = f"; the nearest is {self._nearest}" if self._nearest else ""
        return Assessment(self.risk, self.reversal, f"No operation covers {self.method}{close}.")

    def do(self, api: Any, action: Action) -> Any:
        if self._live is None:
            raise NotDone(f"{self.method} can only run where it was called")
        return self._live()

    def receipt(self, value: Any) -> Json:
        """{"returned": the name of its type}; the value itself may be a token, and no undo needs it"""
        return {"returned": type(value).__name__}

    def shown(self, value: Any) -> Any:
        return value

    def replaced(self, args: Mapping[str, Json]) -> Any:
        if dict(args) != self.args:
            raise ConfigError(f"the arguments of {self.method} cannot be edited: reject it, and call it anew")
        return self


class Sdk(ABC):
    """One vendor's SDK as `wrap` sees it. It knows nothing of journals."""

    connector: ClassVar[str]
    rows: ClassVar[Mapping[str, Row]]
    """By the name that `method` gives."""
    unknown: ClassVar[type[UnknownCall]]
    near: ClassVar[Mapping[str, str]] = {}
    """Methods without a row, and the operation to use instead, where their names do not tell."""

    @abstractmethod
    def twin(self, client: Any) -> Any:
        """A client like the developer's, all of whose writes are refused outside of `letting`.

        Raises:
            ConfigError: This is no client that can be wrapped.
        """

    @abstractmethod
    def api(self, client: Any) -> Any:
        """What the operations are given, made of the developer's client."""

    @abstractmethod
    def covers(self, value: Any) -> bool:
        """Whether a value can do something, and so must stay wrapped."""

    @abstractmethod
    def reads(self, owner: Any, method: str, arguments: Mapping[str, Any]) -> bool:
        """Whether a call changes nothing."""

    @abstractmethod
    def letting(self) -> AbstractContextManager[None]:
        """Let writes of the twin pass: those of one unknown method that may run.

        It reads their errors as operations do: `NotDone` where nothing was done.
        """

    def guarded(self, value: Any) -> Any:
        """A covered value, made sure to refuse writes: some methods return whole new clients."""
        return value

    def method(self, owner: Any, name: str) -> str:
        """The name of a method in the table: the class that defines it, and its own."""
        for cls in type(owner).__mro__:
            if name in vars(cls):
                return f"{cls.__name__}.{name}"
        return f"{type(owner).__name__}.{name}"

    def absent(self, value: Any) -> bool:
        """Whether an argument counts as not given."""
        return False

    def recorded(self, arguments: Mapping[str, Any]) -> dict[str, Json]:
        """The arguments of an unknown method as the journal is given them."""
        return {name: jsonable(value) for name, value in arguments.items()}

    def target(self, owner: Any) -> str:
        """Which thing of the vendor's an object stands for, for the record."""
        return ""

    def told(self, error: NotDone) -> Exception:
        """What the SDK itself would have raised, where the vendor refused."""
        return error

    def arguments(self, call: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
        """The arguments of a call by name, those that were given.

        Raises:
            TypeError: They do not fit the method.
        """
        signature = inspect.signature(call)
        bound = signature.bind(*args, **kwargs)
        found: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                found |= value
            else:
                found[name] = value
        return {name: value for name, value in found.items() if not self.absent(value)}

    def nearest(self, method: str) -> str | None:
        """The operation that does the same to a thing of the same name, for a method that has none."""
        if method in self.near:
            return self.near[method]
        words = [_SAME.get(word.lower(), word.lower()) for word in _WORD.findall(method)]
        operations = {row.operation.name for row in self.rows.values()}
        for position, verb in enumerate(words):
            for noun in reversed(words[position + 1 :] or words[:position]):
                for plural in (noun, f"{noun}s", f"{noun}es"):
                    if (name := f"{self.connector}.{plural}.{verb}") in operations:
                        return name
        return None


__all__ = ["Given", "Row", "Sdk", "UnknownCall"]

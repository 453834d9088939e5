"""The drop-in proxy: the vendor's SDK as before, and what it changes goes through the operations of its connector."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from langchain_agentrein.engine import Performed
from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.journal.redaction import legible
from langchain_agentrein.policy import OnUnknown
from langchain_agentrein.proxied import Door
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.sdk import Sdk
from langchain_agentrein.session import Session
from langchain_agentrein.waiting import Approver

C = TypeVar("C")


def wrapped(
    rein: AgentRein,
    client: C,
    session: Session | None = None,
    *,
    connector: str | Sdk | None = None,
    unknown: OnUnknown | None = None,
    wait: float = 300.0,
    approver: Approver | None = None,
    api: Any = None,
) -> C:
    """A client that looks like `client`, and whose mutating calls are journaled, gated and reversible.

    Args:
        client: The developer's. It is not changed; what it is told itself goes past the journal.
        session: Where the calls belong; `None`: to the current session or, outside of one, each to its own.
        connector: Whose operations the calls become; `None`: as the client's package says. An `Sdk` for one's own.
        unknown: What holds for methods that change something and that no operation covers, where no rule speaks of
            them (`github.unknown`): `ask`, `deny` or `allow`; `None`: what `AgentRein(unknown=...)` says. What is
            allowed is recorded, and cannot be undone.
        wait: Seconds that a call outside a graph waits for a person; then it is refused.
        approver: Decides outside a graph, in place of a person: `approver(action) -> Decision | bool`.
        api: What the operations are given in place of one made of `client`: a `Hub` with options of its own.
    Raises:
        ConfigError: It cannot be wrapped.
    """
    if isinstance(client, Wrapped):
        raise ConfigError(f"{client!r} is wrapped already: wrap the SDK's own client")
    if session is not None and session.rein is not rein:
        raise ConfigError(f"session {session.id} is another AgentRein's: wrap with the one that opened it")
    if unknown not in (None, "ask", "deny", "allow"):
        raise ConfigError(f"unknown={unknown!r}: use 'ask', 'deny' or 'allow'")
    sdk = connector if isinstance(connector, Sdk) else _sdk(connector, client)
    twin = sdk.twin(client)
    api = sdk.api(client) if api is None else api
    rein.bind(sdk.connector, api)
    door = Door(rein, session, api, unknown or rein.policy.unknown, wait, approver)
    made: C = _House(door, sdk).proxy(twin)
    return made


def unwrapped(value: Any) -> Any:
    """The SDK's own object behind a wrapped one, for code that insists on it. It reads; its writes are refused."""
    return _behind(value) if isinstance(value, Wrapped) else value


def _sdk(connector: str | None, client: Any) -> Sdk:
    packages = [cls.__module__.partition(".")[0] for cls in type(client).__mro__]
    for name in [connector] if connector is not None else packages:
        module = f"langchain_agentrein.toolkits.{name}.sdk"
        try:
            found: Sdk = importlib.import_module(module).SDK
        except ModuleNotFoundError as missing:
            if not module.startswith(missing.name or " "):
                raise
        else:
            return found
    raise ConfigError(
        f"no connector wraps {type(client).__module__}.{type(client).__name__}: name one that does with "
        "rein.wrap(client, connector='github')"
    )


class _House:
    """What the proxies of one client share."""

    def __init__(self, door: Door, sdk: Sdk) -> None:
        self.door, self.sdk = door, sdk

    def proxy(self, value: Any) -> Any:
        """A covered value behind a proxy."""
        kind: Any = type(value)
        return _proxy_class(kind)(self, self.sdk.guarded(value))

    def wrap(self, value: Any) -> Any:
        """What the SDK returned, with everything in it that can act behind a proxy."""
        if isinstance(value, Wrapped):
            return value
        if self.sdk.covers(value):
            return self.proxy(value)
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(self.wrap(item) for item in value)
        if type(value) is dict:
            return {name: self.wrap(item) for name, item in value.items()}
        if isinstance(value, Iterator):
            return (self.wrap(item) for item in value)
        return value

    def call(self, owner: Any, attribute: str, args: Any, kwargs: Any) -> Any:
        """One call of one method.

        Args:
            attribute: The name under which the owner has it; the function itself may go by another.

        Raises:
            Refused: It changes something, and may not.
        """
        args, kwargs = _bare(args), _bare(kwargs)
        sdk, name, method = self.sdk, self.sdk.method(owner, attribute), getattr(owner, attribute)
        if inspect.iscoroutinefunction(method):
            raise ConfigError(f"{name} is a coroutine: wrap the SDK's synchronous client")
        arguments = sdk.arguments(method, args, kwargs)
        if sdk.reads(owner, name, arguments):
            return self.wrap(method(*args, **kwargs))
        row = sdk.rows.get(name)
        if row is not None:
            op = row.made(name, owner, arguments)
            done = self._done(lambda: self.door.perform(op, name)).action
            # As a person may have edited them.
            return self.wrap(row.result(owner, legible(done.args), legible(done.receipt)))

        def live() -> Any:
            with sdk.letting():
                return method(*args, **kwargs)

        unknown = sdk.unknown.from_args(
            {"method": name, "target": sdk.target(owner), "arguments": sdk.recorded(arguments)}
        )
        unknown.arm(live, sdk.nearest(name))
        performed = self._done(lambda: self.door.perform(unknown, name))
        # Where an earlier call is the answer there is nothing to show: what it returned is not kept.
        return self.wrap(performed.shown)

    def _done(self, perform: Callable[[], Performed]) -> Performed:
        try:
            return perform()
        except NotDone as refusal:
            if (told := self.sdk.told(refusal)) is refusal:
                raise
            told.add_note(str(refusal))
            raise told from None


class Wrapped:
    """An object of a vendor's SDK, through which nothing is changed past the journal.

    It counts as an instance of the SDK's own class. Each class has a proxy class of its own, with those special methods
    that it has.
    """

    __slots__ = ("__weakref__", "_agentrein_behind", "_agentrein_house")

    def __init__(self, house: _House, behind: Any) -> None:
        object.__setattr__(self, "_agentrein_house", house)
        object.__setattr__(self, "_agentrein_behind", behind)

    @property  # type: ignore[misc]
    def __class__(self) -> type[Any]:
        return type(_behind(self))

    def __getattr__(self, name: str) -> Any:
        house, behind = _house(self), _behind(self)
        value = getattr(behind, name)
        if inspect.isroutine(value):
            # What is private is not called by name here, and cannot write: the twin refuses it.
            return value if name.startswith("_") else _Method(house, behind, name)
        return house.wrap(value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise AttributeError(
                f"{name} of a wrapped {type(_behind(self)).__name__} is not to be set: it is guarded"
            )
        setattr(_behind(self), name, _bare(value))

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of a wrapped {type(_behind(self)).__name__} cannot be deleted")

    def __dir__(self) -> list[str]:
        return dir(_behind(self))

    def __repr__(self) -> str:
        house = _house(self)
        return f"<{_behind(self)!r} wrapped by langchain_agentrein, connector {house.sdk.connector}>"

    def __str__(self) -> str:
        return str(_behind(self))

    def __format__(self, spec: str) -> str:
        return format(_behind(self), spec)

    def __eq__(self, other: object) -> bool:
        return bool(_behind(self) == _bare(other))

    def __hash__(self) -> int:
        return hash(_behind(self))

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        kind = type(_behind(self)).__name__
        raise TypeError(
            f"a wrapped {kind} can be neither copied nor pickled: it belongs to a journal and a session here. Keep "
            f"what names it, such as its id, and get it anew from a wrapped client; or take the {kind} behind it, "
            "which only reads, with langchain_agentrein.wrap.unwrapped(...)"
        )


def _behind(proxy: Any) -> Any:
    return object.__getattribute__(proxy, "_agentrein_behind")


def _house(proxy: Any) -> _House:
    house: _House = object.__getattribute__(proxy, "_agentrein_house")
    return house


class _Method:
    """A method of a wrapped object."""

    def __init__(self, house: _House, owner: Any, attribute: str) -> None:
        self._house, self._owner, self._attribute = house, owner, attribute
        method = getattr(owner, attribute)
        for (
            name
        ) in functools.WRAPPER_ASSIGNMENTS:  # not `__wrapped__`: whoever unwraps it would go past the journal
            setattr(self, name, getattr(method, name, None))

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(getattr(self._owner, self._attribute))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._house.call(self._owner, self._attribute, args, kwargs)

    def __repr__(self) -> str:
        return f"<wrapped method {self._house.sdk.method(self._owner, self._attribute)}>"


def _bare(value: Any) -> Any:
    """Arguments as the SDK knows them."""
    if isinstance(value, Wrapped):
        return _behind(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_bare(item) for item in value)
    if type(value) is dict:
        return {name: _bare(item) for name, item in value.items()}
    return value


def _iterated(self: Wrapped) -> Iterator[Any]:
    house = _house(self)
    return (house.wrap(item) for item in _behind(self))


def _forwarded(name: str) -> Callable[..., Any]:
    def special(self: Wrapped, *args: Any) -> Any:
        return _house(self).wrap(getattr(_behind(self), name)(*_bare(args)))

    special.__name__ = name
    return special


SPECIAL = (
    "__bool__",
    "__contains__",
    "__enter__",
    "__exit__",
    "__getitem__",
    "__len__",
    "__next__",
    "__reversed__",
)


@functools.cache
def _proxy_class(cls: Any) -> type[Any]:
    special: dict[str, Any] = {name: _forwarded(name) for name in SPECIAL if hasattr(cls, name)}
    if hasattr(cls, "__iter__"):
        special["__iter__"] = _iterated
    return type(f"Wrapped{cls.__name__}", (Wrapped,), {"__slots__": (), "__doc__": cls.__doc__, **special})


__all__ = ["Wrapped", "unwrapped", "wrapped"]

"""Where a command finds its journal and its clients."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import Redactor, found_version

if TYPE_CHECKING:
    from langchain_agentrein.rein import AgentRein

JOURNAL_ENVIRONMENT = "AGENTREIN_JOURNAL"
DEFAULT_JOURNAL = "sqlite:///agentrein.db"


@dataclass(slots=True)
class Source:
    """The global options, and what they open.

    Attributes:
        journal: A URL or a file, as given.
        application: `module:name` of the user's `AgentRein`.
        clients: `connector=value`, each as given.
        typed: Whether `journal` was typed, rather than found in the environment.
    """

    journal: str | None = None
    application: str | None = None
    clients: Sequence[str] = ()
    typed: bool = False
    _rein: AgentRein | None = field(default=None)

    @property
    def url(self) -> str:
        """The journal's URL; a plain file name means SQLite."""
        given = self.journal or DEFAULT_JOURNAL
        return given if "://" in given else f"sqlite:///{given}"

    @property
    def redactor(self) -> Redactor | None:
        """What hides the secrets of the open journal, if one is open."""
        return self._rein.journal.redactor if self._rein is not None else None

    def rein(self) -> AgentRein:
        """The `AgentRein` that the options describe, over a journal that is there.

        Raises:
            ConfigError: The journal is not there, or an option cannot work.
        """
        if self._rein is None:
            self._rein = self._from_application() if self.application else self._from_url()
        return self._rein

    def close(self) -> None:
        """Let go of the journal."""
        if self._rein is not None:
            self._rein.close()
            self._rein = None

    def _from_url(self) -> AgentRein:
        from langchain_agentrein.rein import AgentRein

        if found_version(self.url) is None:
            raise ConfigError(_missing(self.url))
        return AgentRein(self.url, clients=Clients(self.clients))

    def _from_application(self) -> AgentRein:
        from langchain_agentrein.rein import AgentRein

        spec = self.application or ""
        for option, given in (("--journal", self.typed), ("--client", bool(self.clients))):
            if given:
                raise ConfigError(f"{option} does not go with --app: {spec} brings its own")
        module, _, name = spec.partition(":")
        if not module or not name:
            raise ConfigError(f"--app {spec!r}: write it as module:name, such as shop.agent:rein")
        if (here := os.getcwd()) not in sys.path:
            sys.path.insert(0, here)
        try:
            value: Any = importlib.import_module(module)
        except Exception as error:  # the user's own code, whatever it raises
            raise ConfigError(
                f"--app {spec}: importing {module} failed with {type(error).__name__}: {error}; "
                f'see the whole of it with: python -c "import {module}"'
            ) from error
        for part in name.split("."):
            if not hasattr(value, part):
                raise ConfigError(f"--app {spec}: {module} has no {name}")
            value = getattr(value, part)
        if not isinstance(value, AgentRein) and callable(value):
            value = value()
        if not isinstance(value, AgentRein):
            raise ConfigError(f"--app {spec}: {name} is {type(value).__name__}, and should be an AgentRein")
        return value


class Clients:
    """The clients that `--client connector=value` names, made when an undo asks for them.

    Args:
        given: `sql=URL`, `files=DIR`; where one connector comes twice, the account tells them apart.
    Raises:
        ConfigError: One is malformed, or names a connector that takes no value.
    """

    def __init__(self, given: Sequence[str]) -> None:
        self._values: dict[str, list[str]] = {}
        self._made: dict[str, list[Any]] = {}
        for one in given:
            connector, _, value = one.partition("=")
            if connector not in _MAKERS or not value:
                known = ", ".join(sorted(f"{name}={what}" for name, (_, what) in _MAKERS.items()))
                raise ConfigError(f"--client {one!r}: use one of {known}; for others, --app module:rein")
            self._values.setdefault(connector, []).append(value)

    def __call__(self, connector: str, account: str | None) -> Any:
        """The client of a connector, from the options or from the environment.

        Raises:
            ConfigError: Nobody provides one.
        """
        if connector not in self._values:
            return _from_environment(connector)
        if connector not in self._made:
            toolkit = _toolkit(connector)
            self._made[connector] = [toolkit(value) for value in self._values[connector]]
        made = self._made[connector]
        for toolkit in made:
            operation = toolkit.operations[-1].model_construct()
            if operation.account(toolkit.client) == account:
                return toolkit.client
        return made[0].client  # of another account: the undo will refuse it, and say whose it is


_MAKERS = {"files": ("FilesToolkit", "DIR"), "sql": ("SQLToolkit", "URL")}
"""The toolkit of each built-in connector that one value describes."""


def _toolkit(connector: str) -> Any:
    return getattr(importlib.import_module("langchain_agentrein.toolkits"), _MAKERS[connector][0])


def _from_environment(connector: str) -> Any:
    value = _MAKERS[connector][1] if connector in _MAKERS else None
    how = f"pass --client {connector}={value}" if value else "pass --app module:rein"
    try:
        toolkit = importlib.import_module(f"langchain_agentrein.toolkits.{connector}").TOOLKIT
        return toolkit.from_env().client
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"nobody provides a client for {connector!r}: {how}") from error
    except ConfigError as error:
        raise ConfigError(f"nobody provides a client for {connector!r}: {how} (or {error})") from error


def _missing(url: str) -> str:
    where = Redactor().text(url)
    if url.startswith("sqlite:"):
        path = Path(url.partition(":///")[2]).absolute()
        where = str(path)
        if path.exists():
            return f"{where} is no journal of this package: name the journal with --journal URL"
    return f"there is no journal at {where}: name it with --journal URL or {JOURNAL_ENVIRONMENT}"

"""Every operation that was imported: found again by the name and version that a journal has."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from langchain_agentrein.errors import UnknownOperation

if TYPE_CHECKING:
    from langchain_agentrein.operation import Operation

ENTRY_POINTS = "langchain_agentrein.operations"
"""The entry-point group under which other packages name the modules that define operations."""


class Registry:
    """Every operation class that was imported, by name and version; where several modules share one, by module."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, int], dict[str, type[Operation]]] = {}

    def add(self, cls: type[Operation]) -> None:
        """Register `cls`; a later definition of the same name in the same module replaces it."""
        for version in cls.undoes:
            self._classes.setdefault((cls.name, version), {}).setdefault(cls.source(), cls)
        self._classes.setdefault((cls.name, cls.version), {})[cls.source()] = cls

    def registered(self, name: str, version: int, source: str) -> type[Operation] | None:
        """The class of this name that `source` defines, if it was imported."""
        return self._classes.get((name, version), {}).get(source)

    def names(self) -> set[str]:
        """The names known so far."""
        return {name for name, _ in self._classes}

    def get(self, name: str, version: int, source: str | None = None) -> type[Operation]:
        """The class for a journaled name and version, importing what defines it if need be.

        Raises:
            UnknownOperation: Nothing installed answers to it.
        """
        why = ""
        for module in itertools.chain([None], self._modules(name, source)):  # each only if it is needed
            if module is not None:
                try:
                    importlib.import_module(module)
                except Exception as error:  # noqa: BLE001 - whatever its import runs into, it is not here
                    why = why or f"{type(error).__name__}: {error}"
            known = self._classes.get((name, version), {})
            if source in known:
                return known[source]
        if moved := [cls for cls in known.values() if cls.needs_client or source is None]:
            return moved[-1]  # a connector's operation that moved; a function's name may be another's too
        versions = sorted(v for n, v in self._classes if n == name)
        if versions:
            why = f"installed: version {', '.join(map(str, versions))}"
        raise UnknownOperation(name, version, why)

    @staticmethod
    def _modules(name: str, source: str | None) -> Iterable[str]:
        if source and source != "__main__":
            yield source
        yield f"langchain_agentrein.toolkits.{name.partition('.')[0]}"
        for point in entry_points(group=ENTRY_POINTS):
            yield point.module


REGISTRY = Registry()

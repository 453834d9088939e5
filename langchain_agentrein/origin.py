"""Where code comes from, said so that another process finds it again."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

_HERE = os.getcwd()
"""Where relative entries of `sys.path` begin."""


def importable(module: str) -> str:
    """The name by which another process imports a module that is loaded here.

    LangGraph's server loads a graph by the path of its file, under a name that nobody can import:
    `./agent.py` as `__agent`. If the file can also be reached by `sys.path`, that is its name.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    return module if file is None or _stands_where_it_says(module, file) else _by_path(module, file)


def _stands_where_it_says(module: str, file: str) -> bool:
    """Whether the file lies where its name is looked for: told by its path, since an event loop may wait."""
    path = os.path.join(*module.split("."))
    roots = {os.path.normpath(os.path.join(_HERE, entry)) for entry in sys.path}
    return any(
        file.endswith(end) and os.path.normpath(file.removesuffix(end)) in roots
        for end in (f"{os.sep}{path}.py", f"{os.sep}{os.path.join(path, '__init__.py')}")
    )


@functools.cache
def _by_path(module: str, file: str) -> str:
    if module == "__main__" or _is_found(module.partition(".")[0]):
        return module
    path = Path(file).resolve().with_suffix("")
    path = path.parent if path.name == "__init__" else path
    names: list[tuple[str, ...]] = []
    for entry in sys.path:
        root = Path(entry).resolve()
        if not path.is_relative_to(root) or (root / "__init__.py").exists():
            continue  # elsewhere; or inside a package, whose modules are imported by its name
        parts = path.relative_to(root).parts
        if parts and all(part.isidentifier() for part in parts):
            names.append(parts)
    shortest = min(names, key=len, default=())
    return ".".join(shortest) or module


def _is_found(name: str) -> bool:
    """Whether a fresh import would find it; that it stands in `sys.modules` says nothing."""
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    return any(find(name, None) is not None for find in finders if find is not None)

"""Files as LangChain tools."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit
from langchain_agentrein.toolkits.files.delete import Delete
from langchain_agentrein.toolkits.files.directories import Mkdir, Rmtree
from langchain_agentrein.toolkits.files.read import List, Read, Search
from langchain_agentrein.toolkits.files.root import Root
from langchain_agentrein.toolkits.files.transfer import Copy, Move
from langchain_agentrein.toolkits.files.write import Append, Write

ENVIRONMENT = "AGENTREIN_FILES_ROOT"


class FilesToolkit(Toolkit):
    """Reading and reversible writing in one directory; nothing outside it is ever touched.

        FilesToolkit("work").get_tools()

    Args:
        root: The directory; it must exist.
        options: `include`, `exclude`, `read_only`: see `Toolkit`.
    """

    connector: ClassVar[str] = "files"
    operations: ClassVar[tuple[type[Operation], ...]] = (
        Read,
        List,
        Search,
        Write,
        Append,
        Copy,
        Move,
        Mkdir,
        Delete,
        Rmtree,
    )

    def __init__(self, root: Root | str | os.PathLike[str], **options: Any) -> None:
        super().__init__(client=root if isinstance(root, Root) else Root(root), **options)

    @classmethod
    def from_env(cls) -> Self:
        """The toolkit for the directory that `AGENTREIN_FILES_ROOT` names.

        Raises:
            ConfigError: It is not set, or names no directory.
        """
        root = os.environ.get(ENVIRONMENT)
        if not root:
            raise ConfigError(f"set {ENVIRONMENT} to a directory, or pass one to {cls.__name__}(...)")
        return cls(root)

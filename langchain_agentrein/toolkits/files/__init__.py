"""Files and directories beneath one root."""

from langchain_agentrein.toolkits.files.toolkit import FilesToolkit

TOOLKIT = FilesToolkit
"""Where an undo in a fresh process gets its client from."""

__all__ = ["TOOLKIT", "FilesToolkit"]

"""The command line: `agentrein`."""

from langchain_agentrein.cli.app import app, main

__all__ = ["app", "main"]

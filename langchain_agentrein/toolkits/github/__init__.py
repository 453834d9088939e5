"""GitHub: issues, files, branches and pull requests, through PyGithub."""

from langchain_agentrein.toolkits.github.hub import Hub
from langchain_agentrein.toolkits.github.toolkit import GitHubToolkit

TOOLKIT = GitHubToolkit
"""Where an undo in a fresh process gets its client from."""

__all__ = ["TOOLKIT", "GitHubToolkit", "Hub"]

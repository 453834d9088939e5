"""What `rein.wrap` needs to know of PyGithub: which methods read, which operations the others become, and a guard."""

from langchain_agentrein.toolkits.github.sdk.client import SDK

__all__ = ["SDK"]

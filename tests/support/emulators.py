"""The vendors' emulators, as the demo starts them, and how they are installed."""

from __future__ import annotations

from pathlib import Path

from langchain_agentrein.demo.emulator import HOME, NoEmulator, emulate, node


def npm() -> str:
    """Node's package manager, from the wheel."""
    return str(Path(node()).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


__all__ = ["HOME", "NoEmulator", "emulate", "node", "npm"]

"""`agentrein demo`."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Annotated

import typer

from langchain_agentrein.cli.screen import console, is_interactive
from langchain_agentrein.errors import ConfigError


def demo(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve without asking.")] = False,
    kill: Annotated[
        bool, typer.Option("--kill", help="Kill the agent's process in the middle of an effect, and recover.")
    ] = False,
    issues: Annotated[
        bool,
        typer.Option("--issues", help="Another story: the wrong issues, on an emulator of GitHub."),
    ] = False,
    mails: Annotated[
        bool,
        typer.Option("--mails", help="A third story: the wrong 200 people, on an emulator of Gmail."),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:NAME", help="A real model, through init_chat_model. (default: a script)"
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", metavar="DIR", help="Where to work and keep it all. (default: a temporary folder)"
        ),
    ] = None,
    emulators: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where npm has put the emulator. (default: where `make` does)"),
    ] = None,
) -> None:
    """See it work: an agent cleans up a shop, is stopped, fails, and everything is as it was. Offline."""
    if not yes and not kill and not is_interactive():
        raise ConfigError("the demo asks a person, and standard input is no terminal: pass --yes")
    if kill and os.name != "posix":
        raise ConfigError("--kill needs SIGKILL, which this system does not have")
    if kill and model is not None:
        raise ConfigError("--kill is timed to the script: leave --model out")
    if (issues or mails) and (kill or model is not None or (issues and mails)):
        raise ConfigError(
            "--issues and --mails are stories of their own, and scripted: leave --kill and --model out"
        )
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not empty: name a new folder with --dir")

    from langchain_agentrein.demo.run import Story, make_folder
    from langchain_agentrein.demo.shop import Shop

    if issues or mails:
        raise typer.Exit(_with_an_emulator(make_folder(folder), mails=mails, yes=yes, emulators=emulators))
    shop = Shop(make_folder(folder))
    if kill:
        from langchain_agentrein.demo.crash import Crash

        code = Crash(shop, console()).tell()
    else:
        code = Story(shop, console(), yes=yes, model=model).tell()
    raise typer.Exit(code)


def _with_an_emulator(folder: Path, *, mails: bool, yes: bool, emulators: Path | None) -> int:
    from langchain_agentrein.demo.emulator import HOME

    installed = emulators or HOME
    if mails:
        with warnings.catch_warnings():
            # Google's client looks at a grpcio that others may have installed, and that it does not use here.
            warnings.filterwarnings("ignore", "Package google.api_core depends on grpcio")
            from langchain_agentrein.demo.mails.run import MailsStory

        return MailsStory(folder, console(), yes=yes, installed=installed).tell()
    from langchain_agentrein.demo.issues.run import IssuesStory

    return IssuesStory(folder, console(), yes=yes, installed=installed).tell()

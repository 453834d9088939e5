"""`agentrein`: what the agents did, why, and how to take it back, from any process."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from langchain_agentrein.cli import change, check, held, keep, read
from langchain_agentrein.cli.demo import demo
from langchain_agentrein.cli.recover import recover
from langchain_agentrein.cli.screen import complain
from langchain_agentrein.cli.source import DEFAULT_JOURNAL, JOURNAL_ENVIRONMENT, Source
from langchain_agentrein.errors import AgentReinError

EXIT_ERROR = 2
"""What went wrong is said in one line."""


class _Verbs(TyperGroup):
    """The verbs in the order of a day's work; an error of ours is one line, never a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AgentReinError as error:
            complain(error, ctx.obj)
            raise typer.Exit(EXIT_ERROR) from error
        finally:
            if isinstance(ctx.obj, Source):
                ctx.obj.close()


app = typer.Typer(
    cls=_Verbs,
    help="Undo, stop and explain what LangChain agents do.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with its local variables would show secrets.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"langchain-agentrein {check.version_of('langchain-agentrein') or 'from source'}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=JOURNAL_ENVIRONMENT,
            show_envvar=True,
            help=f"The journal: a database URL, or a file. (default: {DEFAULT_JOURNAL})",
        ),
    ] = None,
    application: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:NAME",
            help="Your AgentRein, with its journal, its clients and its own operations: `shop.agent:rein`.",
        ),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONNECTOR=VALUE",
            help="What undos act on: `sql=sqlite:///shop.db`, `files=./work`. May be given again.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Undo, stop and explain what LangChain agents do."""
    given = ctx.get_parameter_source("journal")
    typed = given is not None and given.name == "COMMANDLINE"
    ctx.obj = Source(journal, application, tuple(client or ()), typed=typed)


for verb in (
    demo,
    read.sessions,
    read.timeline,
    read.show,
    change.plan,
    change.rollback,
    recover,
    change.approve,
    change.reject,
    change.settle,
    held.held,
    held.release,
    held.drop,
    check.verify,
    keep.heads,
    keep.export,
    keep.forget,
    keep.prune,
    check.doctor,
):
    app.command()(verb)


def main() -> None:
    """The console script."""
    app(prog_name="agentrein")

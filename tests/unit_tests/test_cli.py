"""The command line: every verb on a real journal, and every mistake as one clear line."""

from __future__ import annotations

import contextvars
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from langchain_agentrein import AgentRein, ApprovalRequired, ApprovalRule, Status, reversible
from langchain_agentrein.cli import app, screen
from langchain_agentrein.toolkits import FilesToolkit

ROOT = Path(__file__).parents[2]
SECRET = "sk_live_abcdefghijklmnop"
SEAL_KEY = "c2VhbHMgdGhlIHNlY3JldHMgb2YgdGhlc2UgdGVzdHM="

APPLICATION = """
    from pathlib import Path
    from langchain_agentrein import AgentRein, Operation, Reversal, Risk, UndoEffect

    class Outbox:
        def __init__(self, path): self.path = Path(path)

    class Send(Operation):
        '''Send a mail.'''
        name, risk, reversal = "outbox.send", Risk.LOW, Reversal.COMPENSATING
        undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})
        to: str

        def do(self, api, action):
            with open(api.path, "a") as file: file.write(f"mail to {self.to}\\n")
            return {"to": self.to}

        def undo(self, api, action):
            with open(api.path, "a") as file: file.write(f"correction to {self.to}\\n")
            return "the mail was read"

    rein = AgentRein("sqlite:///journal.db", clients={"outbox": Outbox("outbox.txt")})
    number = 7
    def make(): return rein
"""


@dataclass
class World:
    """A journal with one session in which two files were written."""

    folder: Path
    session_id: str
    action_ids: list[str]

    @property
    def journal(self) -> str:
        return f"sqlite:///{self.folder / 'journal.db'}"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def __call__(self, *words: str, client: bool = True, typed: str | None = None) -> Result:
        options = ["--journal", self.journal]
        if client:
            options += ["--client", f"files={self.work}"]
        return CliRunner().invoke(app, [*options, *words], input=typed)


def write(rein: AgentRein, work: Path, **files: str) -> None:
    tools = {tool.name: tool for tool in rein.tools(FilesToolkit(work))}
    for name, content in files.items():
        tools["files_write"].invoke({"path": f"{name}.txt", "content": content})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AGENTREIN_SEAL_KEY", SEAL_KEY)
    work = tmp_path / "work"
    work.mkdir()
    (work / "b.txt").write_text("before")
    with AgentRein(f"sqlite:///{tmp_path / 'journal.db'}") as rein:
        with rein.session(intent=f"tidy up, with {SECRET}", thread_id="desk") as session:
            write(rein, work, a="new", b=f"after {SECRET}")
        return World(tmp_path, session.id, [action.id for action in session.actions()])


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an application and its journal, whose session sent two mails."""
    folder = tmp_path_factory.mktemp("mails")
    (folder / "outbox_app.py").write_text(textwrap.dedent(APPLICATION))
    program = """
        from outbox_app import Send, rein
        from langchain_agentrein import ReversibleTool
        tool = ReversibleTool.of_operation(Send, rein.client("outbox")).bound(rein)
        with rein.session(intent="tell them", thread_id="mails"):
            tool.invoke({"to": "ana@acme.com"})
            tool.invoke({"to": "bo@acme.com"})
        rein.close()
    """
    run(program, folder)
    return folder


@pytest.fixture
def application(mails: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application in a working directory of the test's own."""
    shutil.copytree(mails, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "outbox_app:rein"
    sys.modules.pop("outbox_app", None)


def run(program: str, folder: Path, *, code: int = 0) -> None:
    """Run Python in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=folder, env=environment, check=False
    )
    assert done.returncode == code


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at the terminal."""
    monkeypatch.setattr(screen, "is_interactive", lambda: True)


@reversible(undo=lambda action: None)  # type: ignore[untyped-decorator]
def numbering(lines: list[int]) -> int:
    """Number lines."""
    return len(lines)


def fails(result: Result, *said: str, code: int = 2) -> None:
    """It ended with one line that says all of this, and without a traceback."""
    assert result.exit_code == code, (result.output, result.exception)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for words in said:
        assert words in result.stderr


# -- looking ---------------------------------------------------------------------------------------


def test_sessions_are_listed(world: World) -> None:
    result = world("sessions")
    assert result.exit_code == 0
    assert world.session_id in result.stdout
    assert "completed" in result.stdout
    assert json.loads(world("sessions", "--json").stdout)[0]["thread_id"] == "desk"
    assert "no sessions" in world("sessions", "--status", "stuck").stdout


def test_nothing_shown_holds_a_secret(world: World, tmp_path: Path) -> None:
    world("timeline", "--output", str(tmp_path / "t.html"))
    shown = [
        world("sessions").stdout,
        world("sessions", "--json").stdout,
        world("timeline").stdout,
        world("timeline", "--format", "json").stdout,
        world("timeline", "--format", "mermaid").stdout,
        (tmp_path / "t.html").read_text(),
        world("show", world.action_ids[1]).stdout,
        world("show", world.action_ids[1], "--json").stdout,
        world("plan", "--thread", "desk").stdout,
        world("plan", "--thread", "desk", "--json").stdout,
        world("show", SECRET).stderr,
    ]
    assert all(shown)
    assert not [text for text in shown if SECRET in text]


def test_a_timeline_is_the_newest_sessions_unless_told(world: World) -> None:
    newest = json.loads(world("timeline", "--format", "json").stdout)
    named = json.loads(world("timeline", "--session", world.session_id[:12], "-f", "json").stdout)
    assert newest == named
    assert [one["id"] for one in newest["sessions"]] == [world.session_id]


@pytest.mark.parametrize(
    ("name", "begins"),
    [("t.html", "<!doctype html>"), ("t.json", "{"), ("t.mmd", "flowchart"), ("t.txt", "session")],
)
def test_a_timeline_file_is_written_as_its_name_says(
    world: World, tmp_path: Path, name: str, begins: str
) -> None:
    result = world("timeline", "--thread", "desk", "--output", str(tmp_path / name))
    assert result.exit_code == 0, result.output
    assert str(tmp_path / name) in result.stdout.replace("\n", "")
    assert (tmp_path / name).read_text().lower().startswith(begins)


def test_a_timeline_that_cannot_be_written(world: World, tmp_path: Path) -> None:
    fails(world("timeline", "--output", str(tmp_path / "no" / "t.html")), "No such file")


def test_an_action_is_shown_by_the_beginning_of_its_id(world: World) -> None:
    for action_id in world.action_ids:
        assert action_id in world("show", action_id[:-1]).stdout
    fails(world("show", "act_"), "several actions begin with 'act_'")
    fails(world("show", "nothing"), "no action begins with 'nothing'")


def test_a_long_payload_is_abridged_unless_it_is_asked_for(world: World) -> None:
    lines = list(range(100))
    with AgentRein(world.journal) as rein, rein.session(thread_id="long"):
        [edit] = [tool for tool in rein.tools(numbering) if tool.name == "numbering"]
        edit.invoke({"lines": lines})
    [action] = AgentRein(world.journal).actions(thread="long")
    brief, full = world("show", action.id).stdout, world("show", action.id, "--full").stdout
    assert "... 95 more: --full" in brief
    assert "    99\n" not in brief
    assert "    99\n" in full


# -- undoing ---------------------------------------------------------------------------------------


def test_a_plan_touches_nothing(world: World) -> None:
    result = world("plan", "--thread", "desk")
    assert result.exit_code == 0
    assert "2 undo" in result.stdout
    assert (world.work / "a.txt").exists()
    assert json.loads(world("plan", "--thread", "desk", "--json").stdout)["counts"] == {"undo": 2}


def test_a_rollback_asks_and_a_no_leaves_everything(world: World, person: None) -> None:
    result = world("rollback", "--thread", "desk", typed="n\n")
    assert result.exit_code == 1
    assert "files.write" in result.stdout
    assert (world.work / "a.txt").exists()


def test_a_rollback_that_is_confirmed_undoes(world: World, person: None) -> None:
    result = world("rollback", "--thread", "desk", "--by", "ana", "--reason", "wrong desk", typed="y\n")
    assert result.exit_code == 0, result.output
    assert not (world.work / "a.txt").exists()
    assert (world.work / "b.txt").read_text() == "before"
    session = json.loads(world("sessions", "--json").stdout)[0]
    assert (session["status"], session["by"], session["reason"]) == ("rolled_back", "ana", "wrong desk")


def test_a_rollback_that_can_ask_nobody_does_nothing(world: World) -> None:
    result = world("rollback", "--thread", "desk")
    assert result.exit_code == 2
    assert "pass --yes" in result.stderr
    assert (world.work / "a.txt").exists()


def test_a_part_can_be_rolled_back(world: World) -> None:
    first, _ = world.action_ids
    assert world("rollback", "--thread", "desk", "--to", first[:-2], "--yes").exit_code == 0
    assert (world.work / "a.txt").exists()
    assert (world.work / "b.txt").read_text() == "before"
    assert world("rollback", "--thread", "desk", "--only", first, "--yes").exit_code == 0
    assert not (world.work / "a.txt").exists()
    again = world("rollback", "--thread", "desk", "--yes")
    assert (again.exit_code, again.stdout) == (0, "nothing to undo\n")


def test_a_rollback_for_a_program(world: World) -> None:
    fails(world("rollback", "--thread", "desk", "--json"), "--yes")
    report = json.loads(world("rollback", "--thread", "desk", "--json", "--yes").stdout)
    assert report["complete"]
    assert report["counts"] == {"restored": 2}


def test_a_conflict_is_left_to_a_person_unless_it_is_skipped(world: World) -> None:
    (world.work / "b.txt").write_text("somebody else's")
    left = world("rollback", "--thread", "desk", "--yes")
    assert left.exit_code == 1
    assert "left for a person" in left.stdout
    assert (world.work / "b.txt").read_text() == "somebody else's"
    skipped = world("rollback", "--thread", "desk", "--yes", "--on-conflict", "skip")
    assert skipped.exit_code == 0
    assert (world.work / "b.txt").read_text() == "somebody else's"
    assert not (world.work / "a.txt").exists()


def test_without_a_client_the_plan_says_which_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    result = world("plan", "--thread", "desk", client=False)
    assert "--client files=DIR" in result.stdout
    assert "cannot" in result.stdout


def test_another_folder_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    words = [
        "--journal",
        world.journal,
        "--client",
        f"files={tmp_path / 'other'}",
        "plan",
        "--thread",
        "desk",
    ]
    assert "WrongAccount" in CliRunner().invoke(app, words).stdout


def test_of_two_folders_the_right_one_is_found(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    clients = ["--client", f"files={tmp_path / 'other'}", "--client", f"files={world.work}"]
    words = ["--journal", world.journal, *clients, "rollback", "--thread", "desk", "--yes"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert not (world.work / "a.txt").exists()


# -- an application's own operations, and undos that reach people ------------------------------------


def outbox() -> list[str]:
    return Path("outbox.txt").read_text().splitlines()


def invoke(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=typed)


def test_unattended_nothing_reaches_people(application: str) -> None:
    result = invoke("--app", application, "rollback", "--thread", "mails", "--yes")
    assert result.exit_code == 1
    assert "stuck" in result.stdout
    assert len(outbox()) == 2


def test_unattended_what_reaches_people_can_be_approved(application: str) -> None:
    words = (
        "--app",
        application,
        "rollback",
        "--thread",
        "mails",
        "--yes",
        "--approve-far-reaching",
        "--by",
        "ana",
    )
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    assert outbox()[2:] == ["correction to bo@acme.com", "correction to ana@acme.com"]
    assert "the mail was read" in result.stdout


def test_a_person_is_asked_about_what_reaches_people(application: str, person: None) -> None:
    result = invoke("--app", application, "rollback", "--thread", "mails", typed="y\nn\n")
    assert "its undo reaches people" in result.stdout
    assert len(outbox()) == 2
    approved = invoke("--app", application, "rollback", "--thread", "mails", typed="y\ny\n")
    assert approved.exit_code == 0, approved.output
    assert len(outbox()) == 4


def test_one_far_reaching_undo_is_approved_by_its_id(application: str) -> None:
    told = json.loads(invoke("--app", application, "timeline", "-f", "json").stdout)
    last = [node["id"] for node in told["nodes"] if node["kind"] == "action"][-1]
    assert "its undo may run" in invoke("--app", application, "approve", last, "--by", "ana").stdout
    invoke("--app", application, "rollback", "--thread", "mails", "--yes")
    assert outbox()[2:] == ["correction to bo@acme.com"]


def test_an_application_may_be_a_function(application: str) -> None:
    assert "mails" in invoke("--app", application.replace(":rein", ":make"), "sessions").stdout


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nonsense", "module:name"),
        ("no_such_module_here:rein", "importing no_such_module_here failed"),
        ("{module}:nothing", "has no nothing"),
        ("{module}:number", "number is int"),
    ],
)
def test_an_application_that_is_none(application: str, spec: str, said: str) -> None:
    fails(invoke("--app", spec.format(module=application.partition(":")[0]), "sessions"), said)


def test_an_application_brings_its_own_journal_and_clients(application: str) -> None:
    fails(
        invoke("--app", application, "--journal", "other.db", "sessions"), "--journal does not go with --app"
    )
    fails(invoke("--app", application, "--client", "files=.", "sessions"), "--client does not go with --app")


# -- decisions ---------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path: Path) -> World:
    """A journal in which one call waits for an approval."""
    work = tmp_path / "work"
    work.mkdir()
    with AgentRein(
        f"sqlite:///{tmp_path / 'journal.db'}", rules=[ApprovalRule("files.write", "ask")]
    ) as rein:
        session = rein.session(thread_id="desk")

        def ask() -> None:
            session.__enter__()  # and never left: whoever ran it waits, or died
            with pytest.raises(ApprovalRequired):
                write(rein, work, a="new")

        contextvars.copy_context().run(ask)
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            [(action_id,)] = connection.execute("SELECT id FROM agentrein_actions").fetchall()
        connection.close()
        return World(tmp_path, session.id, [action_id])


def status(world: World, place: int = 0) -> str:
    return str(json.loads(world("show", world.action_ids[place], "--json").stdout)["status"])


def test_a_waiting_call_is_approved(asked: World) -> None:
    result = asked("approve", asked.action_ids[0][:-3], "--by", "ana")
    assert result.exit_code == 0, result.output
    assert "approved" in result.stdout
    assert status(asked) == Status.APPROVED


def test_a_waiting_call_is_approved_with_other_arguments(asked: World) -> None:
    fails(asked("approve", asked.action_ids[0], "--args", "{"), "no JSON")
    fails(asked("approve", asked.action_ids[0], "--args", "[]"), "JSON object")
    changed = json.dumps({"path": "a.txt", "content": "better"})
    assert asked("approve", asked.action_ids[0], "--args", changed).exit_code == 0
    told = json.loads(asked("show", asked.action_ids[0], "--json").stdout)
    assert told["payloads"]["args"]["content"] == "better"


def test_a_waiting_call_is_rejected(asked: World) -> None:
    result = asked("reject", asked.action_ids[0], "--by", "ana", "--reason", "not today")
    assert "rejected" in result.stdout
    assert status(asked) == Status.REJECTED
    assert "not today" in asked("show", asked.action_ids[0]).stdout
    fails(asked("reject", asked.action_ids[0]), "waits for nobody")
    fails(asked("settle", asked.action_ids[0], "--by", "ana"), "no undo has left it to a person")
    fails(asked("approve", asked.action_ids[0]), "waits for nobody")


def test_arguments_are_for_calls_that_wait(world: World) -> None:
    fails(world("approve", world.action_ids[0], "--args", "{}"), "is executed")


# -- checking ----------------------------------------------------------------------------------------


def test_a_whole_record_verifies(world: World) -> None:
    result = world("verify", "--heads")
    assert result.exit_code == 0
    assert "the record is whole" in result.stdout
    assert world.session_id in result.stdout
    assert json.loads(world("verify", "--json", "--thread", "desk").stdout)["ok"]


def test_an_altered_record_ends_with_1(world: World) -> None:
    with sqlite3.connect(world.folder / "journal.db") as connection:
        connection.execute("UPDATE agentrein_actions SET status = 'restored'")
    connection.close()
    result = world("verify")
    assert result.exit_code == 1
    assert "altered" in result.stdout
    assert not json.loads(world("verify", "--json").stdout)["ok"]


def test_what_is_forgotten_is_gone_and_still_verifies(world: World) -> None:
    result = world("forget", "--thread", "desk")
    assert result.exit_code == 2
    assert "pass --yes" in result.stderr
    assert "1 session forgotten" in world("forget", "--thread", "desk", "--yes").stdout
    assert '"new"' not in world("show", world.action_ids[0], "--json").stdout
    assert world("verify").exit_code == 0


def test_forgetting_by_date(world: World) -> None:
    assert "0 sessions forgotten" in world("forget", "--before", "2020-01-01", "--yes").stdout
    assert "1 session forgotten" in world("forget", "--before", "2999-01-01", "--yes").stdout
    fails(world("forget", "--yes"), "--session or a --thread")


def test_recover_with_nothing_to_do(world: World) -> None:
    result = world("recover")
    assert (result.exit_code, result.stdout) == (0, "nothing was left under way\n")
    assert json.loads(world("recover", "--json").stdout)["lines"] == []


def test_recover_settles_what_a_dead_process_left(world: World) -> None:
    died = f"""
        import os, signal
        from langchain_agentrein import AgentRein, Status
        from langchain_agentrein.toolkits import FilesToolkit
        rein = AgentRein({world.journal!r})
        move = rein.journal.move
        def dying(action, to, **more):
            if to is Status.EXECUTED:
                os.kill(os.getpid(), signal.SIGKILL)
            return move(action, to, **more)
        rein.journal.move = dying
        [write] = [tool for tool in rein.tools(FilesToolkit({str(world.work)!r})) if tool.name == "files_write"]
        with rein.session(thread_id="killed"):
            write.invoke({{"path": "c.txt", "content": "half"}})
    """
    run(died, world.folder, code=-9)
    result = world("recover")
    assert result.exit_code == 0, result.output
    assert "it did happen" in result.stdout
    assert "1 session is still open" in result.stdout
    assert world("rollback", "--thread", "killed", "--yes").exit_code == 0
    assert not (world.work / "c.txt").exists()


def test_the_doctor_looks_at_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTREIN_SEAL_KEY", raising=False)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    result = world("doctor")
    assert result.exit_code == 0, result.output
    assert "schema version 1" in result.stdout
    assert "langgraph" in result.stdout
    assert "AGENTREIN_SEAL_KEY is not set" in result.stdout


def test_the_doctor_finds_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTREIN_SEAL_KEY", "short")
    (tmp_path / "torn.db").write_bytes(b"no database at all, but long enough to be one" * 40)
    result = invoke("--journal", str(tmp_path / "torn.db"), "doctor")
    assert result.exit_code == 1
    assert result.stdout.count("\nbad ") == 2


def test_the_doctor_makes_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    assert invoke("doctor").exit_code == 0
    assert list(tmp_path.iterdir()) == []


# -- mistakes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("sessions",),
        ("timeline",),
        ("show", "act_1"),
        ("plan", "--thread", "t"),
        ("rollback", "--thread", "t", "--yes"),
        ("recover",),
        ("approve", "act_1"),
        ("reject", "act_1"),
        ("verify",),
        ("forget", "--thread", "t", "--yes"),
    ],
)
def test_no_verb_creates_a_journal(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTREIN_JOURNAL", raising=False)
    fails(invoke(*words), str(tmp_path / "agentrein.db"), "--journal", "AGENTREIN_JOURNAL")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_found_through_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTREIN_JOURNAL", str(world.folder / "journal.db"))
    assert world.session_id in invoke("sessions").stdout


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE things (id INTEGER)")
    connection.close()
    before = (tmp_path / "shop.db").read_bytes()
    fails(invoke("--journal", str(tmp_path / "shop.db"), "sessions"), "is no journal", "shop.db")
    assert (tmp_path / "shop.db").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--journal", "mysql://ana:geheim@host/db"), "mysql"),
        (("--journal", "sqlite://"), "no journal"),
        (("--client", "files"), "--client 'files'"),
        (("--client", "stripe=sk"), "--app module:rein"),
    ],
)
def test_options_that_cannot_work(world: World, options: tuple[str, ...], said: str) -> None:
    given = ("--journal", world.journal) if "--journal" not in options else ()
    result = invoke(*given, *options, "sessions")
    fails(result, said)
    assert "geheim" not in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan",), "name a --session or a --thread"),
        (("plan", "--session", "x", "--thread", "y"), "either --session or --thread"),
        (("plan", "--session", "nothing"), "no session 'nothing'"),
        (("plan", "--thread", "nothing"), "no session of thread 'nothing'"),
        (("plan", "--session", "ses_", "--all-sessions"), "--all-sessions goes with --thread"),
        (("plan", "--thread", "desk", "--only", "nothing"), "no action begins with 'nothing'"),
        (("timeline", "--thread", "nothing"), "no session of thread 'nothing'"),
    ],
)
def test_verbs_that_name_nothing(world: World, words: tuple[str, ...], said: str) -> None:
    fails(world(*words), said)


def test_the_demo_asks_nobody_where_nobody_is(tmp_path: Path) -> None:
    fails(invoke("demo"), "pass --yes")
    (tmp_path / "mine.txt").write_text("mine")
    fails(invoke("demo", "--yes", "--dir", str(tmp_path)), "is not empty")
    fails(invoke("demo", "--kill", "--model", "provider:name"), "leave --model out")


def test_starting_is_quick(world: World) -> None:
    """No verb but `demo` pays for the agent machinery."""
    program = f"""
        import sys
        from langchain_agentrein.cli import app
        try:
            app(["--journal", {world.journal!r}, "sessions"])
        except SystemExit:
            pass
        sys.exit("langchain.agents" in sys.modules)
    """
    run(program, world.folder)


def test_help_lists_every_verb() -> None:
    listed = invoke("--help").stdout
    verbs = (
        "demo sessions timeline show plan rollback recover approve reject settle verify forget doctor".split()
    )
    places = [listed.index(f"│ {verb} ") for verb in verbs]
    assert places == sorted(places)

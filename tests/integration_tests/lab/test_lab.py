"""A sample of the fault lab; `make soak` runs it at length. And: no boundary is forgotten."""

from __future__ import annotations

import random
import re

import pytest

from tests.lab.controller import Lab
from tests.lab.enumerate import boundaries
from tests.lab.exempt import EXEMPT
from tests.lab.points import PACKAGE
from tests.lab.stories import Setting, Trial

Counted = dict[str, list[tuple[int, str]]]
ELSEWHERE = [
    Setting("postgres", "sync", "sync"),
    Setting("postgres", "async", "sync"),
    Setting("sqlite", "threaded", "async"),
    Setting("sqlite", "async", "exit"),
]
REQUESTS = {
    f"request:{what}" for what in ("GET things", "GET effects", "PUT things", "DELETE things", "POST notes")
}
SAVES = {"checkpoint:put", "checkpoint:put_writes"}


def test_every_boundary_has_a_kill_point(counted: Counted) -> None:
    reached = {point.rpartition("#")[0] for points in counted.values() for _, point in points}
    places = boundaries()
    assert len(places) > 100, "the list reads the source"
    missing = {str(place) for place in places if not place.met(reached)}
    assert missing - set(EXEMPT) == set(), (
        "a step or a transaction at which no story of the lab kills anybody"
    )
    assert set(EXEMPT) - missing == set(), "exempt, and met all the same, or gone"
    for wanted in REQUESTS | SAVES:
        assert {f"{wanted}:before", f"{wanted}:after"} <= reached


def test_no_flow_yields_anything_but_steps() -> None:
    """Nor does the engine block in any other way that the lab would not see."""
    for path in sorted((PACKAGE / "engine").glob("*.py")):
        text = path.read_text()
        for word in ("time.sleep", "asyncio.", "requests.", "store.write", "store.read"):
            assert word not in text, f"{path.name} does {word} by itself"


def judged(lab: Lab, trial: Trial) -> None:
    outcome = lab.try_(trial)
    assert outcome.verdict.anomalies == (), f"make soak ARGS=\"--trial '{trial}'\""


def sample(counted: Counted, n: int, part: int) -> list[tuple[str, int, str]]:
    """Boundaries for this part of the tests, drawn from all: the same ones every time."""
    every = sorted(
        {(story, point.rpartition("#")[0]) for story, found in counted.items() for _, point in found}
    )
    drawn = random.Random(f"lab {part}").sample(every, n)
    first = {
        (story, point.rpartition("#")[0]): (story, life, point)
        for story, found in reversed(counted.items())
        for life, point in reversed(found)
    }
    return [first[one] for one in drawn]


@pytest.mark.parametrize("part", range(3))
def test_killed_anywhere(lab: Lab, counted: Counted, part: int) -> None:
    for n, (story, life, point) in enumerate(sample(counted, 7, part)):
        judged(lab, Trial(story, Setting(), life, point, "kill", ("resume", "recover")[n % 2]))


@pytest.mark.parametrize("setting", ELSEWHERE, ids=str)
def test_killed_in_other_settings(lab: Lab, setting: Setting) -> None:
    for story in ("back", "undone"):
        found = lab.count(story, setting)
        life, point = random.Random(str(setting)).choice(found)
        for ending in ("resume", "recover"):
            judged(lab, Trial(story, setting, life, point, "kill", ending))


@pytest.mark.parametrize("setting", [Setting(), Setting("postgres", "async", "sync")], ids=str)
def test_killed_around_a_release(lab: Lab, setting: Setting) -> None:
    """What was held has one effect at most; and where it had none, its record says so."""
    around = [
        (life, point)
        for life, point in lab.count("held", setting)
        if "engine/releasing.py" in point
        or "journal/journal.py:move" in point
        or point.startswith("request:P")
    ]
    for n, (life, point) in enumerate(random.Random(f"release {setting}").sample(around, 3)):
        judged(lab, Trial("held", setting, life, point, "kill", ("resume", "recover")[n % 2]))


@pytest.mark.parametrize("fault", ["swallow", "refuse", "break", "delay"])
def test_the_world_answers_badly(lab: Lab, fault: str) -> None:
    for story, life, nth in (("back", 1, "1"), ("back", 1, "3")):
        judged(lab, Trial(story, Setting(), life, nth, fault, "resume"))


@pytest.mark.parametrize(
    ("harm", "point"),
    [
        ("full", "commit:journal/journal.py:move:before#1"),
        ("full", "request:PUT things:after#1"),
        ("full", "checkpoint:put:before#3"),
        ("cut", "commit:journal/journal.py:move:within#1"),
        ("cut", "request:PUT things:after#1"),
        ("stop", "request:PUT things:after#1"),
        ("stop", "commit:journal/journal.py:move:before#1"),
    ],
)
def test_other_harm(lab: Lab, harm: str, point: str) -> None:
    setting = Setting("postgres" if harm != "full" else "sqlite")
    judged(lab, Trial("back", setting, 1, point, harm, "recover"))


def test_a_failure_that_the_state_does_not_know_of_still_ends_the_run(lab: Lab) -> None:
    point = "commit:journal/sessions.py:set_session:after#1"
    judged(lab, Trial("back", Setting(), 1, point, "kill", "resume"))


def test_a_rollback_of_orphans_that_a_crash_cut_short_is_finished_before_the_run_goes_on(lab: Lab) -> None:
    point = "commit:journal/sessions.py:set_session:after#1"
    judged(lab, Trial("orphaned", Setting(), 2, point, "kill", "resume"))


@pytest.mark.parametrize(
    "trial",
    [
        "unmarked|sqlite/threaded/sync|2|checkpoint:aput:before#14|kill|resume",
        "asked|sqlite/async/exit|0|step:engine/perform.py:73:before#3|full|resume",
        "together|postgres/threaded/async|0|step:engine/effect.py:34:before#1|stop|resume",
    ],
)
def test_what_the_soak_once_found(lab: Lab, trial: str) -> None:
    """Killed again after the walk, before the state knew of it; a part that is left to a person; stopped while a
    sibling's transaction holds the session.
    """
    judged(lab, Trial.read(trial))


GITHUB = Setting("github", "sync", "sync")


@pytest.fixture
def on_github(lab: Lab) -> Lab:
    if "github" not in lab.kinds:
        pytest.skip("the emulators are not installed: make test does it")
    return lab


def test_on_github_killed_anywhere(on_github: Lab) -> None:
    for story in ("github back", "github busy"):
        found = on_github.count(story, GITHUB)
        writes = [one for one in found if re.match("request:(POST|PATCH|DELETE|PUT) .*:after", one[1])]
        drawn = random.Random(story)
        for n, (life, point) in enumerate([*drawn.sample(writes, 2), *drawn.sample(found, 3)]):
            judged(on_github, Trial(story, GITHUB, life, point, "kill", ("resume", "recover")[n % 2]))


@pytest.mark.parametrize("fault", ["swallow", "drop", "refuse", "break", "wait"])
def test_github_answers_badly(on_github: Lab, fault: str) -> None:
    for nth in ("1", "5"):
        judged(on_github, Trial("github back", GITHUB, 0, nth, fault, "resume"))


def test_a_label_that_came_along_goes_although_the_reply_before_it_was_lost(on_github: Lab) -> None:
    for nth in ("5", "6", "7", "8", "9", "10"):
        judged(on_github, Trial("github back", GITHUB, 0, nth, "swallow", "recover"))

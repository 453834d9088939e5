"""What a timeline says of plain successes, gates, failures and rollbacks."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from langchain_agentrein.action import Approval, Intent, SessionStatus, Status, Undo
from langchain_agentrein.timeline import ActionNode, InterruptNode, Timeline
from langchain_agentrein.timeline.console import to_text

from .stories import START, Story, crashed, failing, gated, several, tell

S = Status
GOLDEN = Path(__file__).with_name("golden.json")


def action(timeline: Timeline, action_id: str) -> ActionNode:
    node = timeline[action_id]
    assert isinstance(node, ActionNode)
    return node


def pause(timeline: Timeline, node_id: str) -> InterruptNode:
    node = timeline[node_id]
    assert isinstance(node, InterruptNode)
    return node


def edges(timeline: Timeline, kind: str) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in timeline.edges if edge.kind == kind}


def test_plain_success_tells_what_was_done_and_why() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "notes.txt"}, intent=Intent("To keep it.", "text", story.goal))
    story.session(SessionStatus.COMPLETED)
    timeline = story.timeline()
    assert [node.id for node in timeline] == ["ses_1:opened:1", "act_1", "ses_1:completed:4"]
    assert len(timeline) == 3
    assert timeline.counts == {"executed": 1}
    assert not timeline.causes and not timeline.edges and not timeline.interrupts
    assert action(timeline, "act_1").summary == "notes.txt"
    assert "To keep it." in str(timeline)


def test_nothing_at_all() -> None:
    timeline = Timeline()
    assert len(timeline) == 0
    assert str(timeline) == "nothing has happened yet"
    assert "Nothing has happened yet" in timeline.to_html()
    assert timeline.to_mermaid() == "flowchart TB\n"


@pytest.mark.parametrize(
    ("decision", "to"),
    [("approve", S.APPROVED), ("edit", S.APPROVED), ("reject", S.REJECTED), ("respond", S.REJECTED)],
)
def test_an_answered_gate_is_an_interrupt_and_no_error(decision: str, to: Status) -> None:
    story = Story()
    gated(story, "act_1", "gmail.send", {"to": "ana"})
    story.seconds += 59
    approval = Approval(decision, "ana@acme.com", story.now, "because I say so")
    edited = {"approved_args": {"to": "bob"}, "args": {"to": "bob"}} if decision == "edit" else {}
    story.move("act_1", to, {"by": "ana@acme.com"}, approval=approval, **edited)
    timeline = story.timeline()
    asked = pause(timeline, "act_1:approval")
    assert not asked.open
    [answer] = asked.answers
    assert (answer.decision, answer.by, answer.reason) == (decision, "ana@acme.com", "because I say so")
    assert asked.answered_at == START + timedelta(seconds=61)
    assert edges(timeline, "waited for") == {("act_1", "act_1:approval")}
    assert "error" not in str(timeline) and "after 60 s" in str(timeline)
    shown = action(timeline, "act_1").payloads
    assert ("proposed_args" in shown) == (decision == "edit")


def test_an_open_gate_waits_and_says_which_rule_asked() -> None:
    story = Story()
    gated(story, "act_1", "gmail.send", {"to": "ana"}, why="rule gmail.*: ask", message_id="msg_1")
    gated(story, "act_2", "gmail.send", {"to": "bob"}, why="rule gmail.*: ask", message_id="msg_1")
    timeline = story.timeline()
    [asked] = timeline.interrupts  # the gate asks once for all calls of a message
    assert asked.open and asked.answered_at is None
    assert asked.text.startswith("May these 2 actions run? `gmail.send` (ana), `gmail.send` (bob)")
    assert asked.text.endswith("Asked because: rule gmail.*: ask")
    assert "waits for an answer" in str(timeline)


def test_denied_by_a_rule_asks_nobody() -> None:
    story = Story()
    denied = Approval("deny", "policy", START, "rule *.delete: deny")
    story.begin("act_1", "github.repos.delete", {"repo": "acme/crm"}, S.DENIED, approval=denied)
    timeline = story.timeline()
    assert not timeline.interrupts
    assert action(timeline, "act_1").approval == denied
    assert [moment.text for moment in action(timeline, "act_1").history] == ["denied by a rule"]


def test_expired_held_and_dropped() -> None:
    story = Story()
    gated(story, "act_1", "gmail.send", {"to": "ana"})
    story.move("act_1", S.EXPIRED)
    story.begin("act_2", "gmail.send", {"to": "bob"}, S.HELD)
    story.move("act_2", S.DROPPED)
    timeline = story.timeline()
    assert [answer.decision for answer in pause(timeline, "act_1:approval").answers] == ["expired"]
    assert [moment.text for moment in action(timeline, "act_2").history] == [
        "held, not done",
        "let go, never run",
    ]


def test_the_cause_is_one_plain_sentence() -> None:
    timeline = failing().timeline()
    assert action(timeline, "act_update").cause == (
        "`sql.execute` (UPDATE customers SET plan = 'pro' WHERE signed_up >= '2026-03-01') was compensated "
        "because `charge_card` failed with TimeoutError: no reply from the bank after 30 s, 7 steps later, "
        "which happened because the agent had drifted from its goal (drift 0.81); the agent did it because: "
        "'The goal says to move the March customers. I update their plan first, then charge the difference'."
    )
    assert action(timeline, "act_wiki").because == "restored because `charge_card` failed, 1 step later"
    assert "waits until somebody approves its undo" in action(timeline, "act_mail").cause
    assert "somebody changed it meanwhile" in action(timeline, "act_title").cause
    assert "could not be undone;" in action(timeline, "act_pay").cause
    assert "could not be undone yet" in action(timeline, "act_note").cause
    assert not action(timeline, "act_card").cause


def test_a_rollback_with_every_outcome() -> None:
    timeline = failing().timeline()
    assert timeline.counts == {
        "compensated": 2,
        "stuck": 2,
        "conflict": 1,
        "irreversible": 1,
        "restored": 1,
        "failed": 1,
    }
    [failed] = [node for node in timeline.events if node.event == "failed"]
    [stuck] = [node for node in timeline.events if node.event == "stuck"]
    undone = {target for source, target in edges(timeline, "compensates") if source == failed.id}
    assert undone == {node.id for node in timeline.actions} - {"act_card"}
    caused = {("act_card", failed.id), (failed.id, stuck.id)}
    assert edges(timeline, "caused") == caused | {
        (name, stuck.id) for name in ("act_note", "act_mail", "act_title")
    }
    assert {node.about for node in timeline.interrupts if node.open} == {"conflict", "undo"}
    text = str(timeline)
    for said in ("stays: 3 people had read the message", "undo: tried 4 times", "drift: 0.81"):
        assert said in text


def test_the_action_that_failed_is_undone_itself() -> None:
    story = Story()
    story.begin("act_1", "charge_card", {"amount": 1})
    story.move("act_1", S.IN_DOUBT, error={"type": "TimeoutError", "message": "no reply"})
    story.move("act_1", S.EXECUTED, {"settled": "probe"})
    failure = {"type": "TimeoutError", "message": "no reply", "action_id": "act_1"}
    story.session(SessionStatus.ROLLING_BACK, failure=failure)
    story.undo("act_1", S.COMPENSATED)
    assert story.timeline().causes == (
        "`charge_card` (amount=1) was compensated because it failed with TimeoutError: no reply, "
        "when its effect was there already.",
    )


def test_a_rollback_by_a_person_names_them_and_their_reason() -> None:
    timeline = tell(*several())
    assert action(timeline, "act_send").because == (
        "compensated because ana@acme.com rolled the session back: 'the wrong list'"
    )
    [asked] = timeline.interrupts
    assert asked.about == "undo" and [answer.by for answer in asked.answers] == ["ana@acme.com"]


def test_a_person_after_a_failure_does_not_take_the_blame() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    story.do("act_2", "files.write", {"path": "b"})
    story.session(SessionStatus.ROLLING_BACK, failure={"type": "ValueError", "message": "no"})
    story.undo("act_2", S.RESTORED)
    story.session(SessionStatus.STUCK)
    story.session(SessionStatus.ROLLING_BACK, by="ana", reason="finish it")
    story.undo("act_1", S.RESTORED)
    story.session(SessionStatus.ROLLED_BACK)
    timeline = story.timeline()
    assert "the session failed with ValueError: no" in action(timeline, "act_2").cause
    assert "ana rolled the session back: 'finish it'" in action(timeline, "act_1").cause
    assert [node.event for node in timeline.events] == [
        "opened", "failed", "stuck", "called back", "rolled_back",
    ]  # fmt: skip


def test_an_undo_that_was_approved_waits_for_nobody() -> None:
    story = failing()
    mail = story.actions["act_mail"]
    story._entry("note", action_id="act_mail", detail={"note": "undo approved", "by": "ana"})
    story.actions["act_mail"] = mail.with_(undo=replace(mail.undo, approved_by="ana"))
    [asked] = [node for node in story.timeline().interrupts if node.about == "undo"]
    assert not asked.open and [answer.by for answer in asked.answers] == ["ana"]
    assert asked.answered_at == story.entries[-1].at


def test_a_rollback_that_waits_for_its_confirmation() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    failure = {"type": "ValueError", "message": "no"}
    story.session(SessionStatus.ROLLING_BACK, failure=failure, scope={"was": "open", "asking": True})
    timeline = story.timeline()
    [asked] = timeline.interrupts
    assert asked.open and asked.text == "May the session be rolled back? 1 action would be undone."
    assert edges(timeline, "waited for") == {("ses_1:failed:4", asked.id)}
    assert "waits for an answer" in timeline.to_html() and timeline.to_mermaid()


def test_an_approval_that_lapsed_was_given_all_the_same() -> None:
    story = Story()
    gated(story, "act_1", "gmail.send", {"to": "ana"})
    story.move("act_1", S.APPROVED, {"by": "ana"}, approval=Approval("approve", "ana", story.now))
    story.move("act_1", S.EXPIRED)
    [answer] = pause(story.timeline(), "act_1:approval").answers
    assert answer.decision == "approve"


def test_without_a_name_the_same_error_finds_the_culprit() -> None:
    story = failing()
    del story.failure["action_id"]
    assert "`charge_card` failed with TimeoutError" in action(story.timeline(), "act_wiki").cause
    story.failure["message"] = "something else"
    assert "the session failed with TimeoutError" in action(story.timeline(), "act_wiki").cause


def test_kept_on_purpose_still_says_what_failed() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    story.session(SessionStatus.KEPT, failure={"type": "ValueError", "message": "no"})
    timeline = story.timeline()
    assert [node.event for node in timeline.events] == ["opened", "failed", "kept"]


def test_in_doubt_settled_by_a_person() -> None:
    story = Story()
    story.begin("act_1", "stripe.refunds.create", {"charge": "ch_1"})
    story.move("act_1", S.IN_DOUBT, error={"type": "ReadTimeout", "message": "gone"})
    error = {"type": "ReadTimeout", "message": "gone", "unsettled": "the index lags behind"}
    story.note("act_1", "in doubt", error=error)
    open_ = pause(story.timeline(), "act_1:doubt")
    assert open_.open and "the index lags behind" in open_.text
    story.move("act_1", S.EXECUTED, {"settled": "person", "by": "ana"})
    timeline = story.timeline()
    [answer] = pause(timeline, "act_1:doubt").answers
    assert (answer.decision, answer.by, answer.reason) == ("settled", "ana", "it happened")
    assert [moment.text for moment in action(timeline, "act_1").history] == [
        "started",
        "in doubt: it may have happened",
        "nobody could tell whether it happened",
        "settled by ana: it happened",
    ]


def test_a_conflict_that_somebody_settled() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    story.session(SessionStatus.ROLLING_BACK, failure={"type": "ValueError", "message": "no"})
    story.undo("act_1", S.CONFLICT, error="content: left 'a', found 'b'")
    story.undo("act_1", S.RESTORED, attempts=2, approved_by="ana")
    asked = pause(story.timeline(), "act_1:conflict")
    assert not asked.open and [answer.by for answer in asked.answers] == ["ana"]


def test_a_tool_that_pauses_its_own_run() -> None:
    story = Story()
    story.begin("act_1", "ask_the_lead", {"question": "when?"})
    story.note("act_1", "paused", paused=True)
    assert story.timeline().interrupts[0].open
    story.worker = "web-2:200:bbbb"
    story.note("act_1", "resumed", paused=False)
    story.move("act_1", S.EXECUTED)
    timeline = story.timeline()
    [asked] = timeline.interrupts
    assert asked.about == "tool" and not asked.open
    assert "took over" not in str(timeline)  # a resume elsewhere is no crash


def test_a_second_generation_is_a_rerun() -> None:
    story = Story()
    story.begin("act_1", "charge_card", {"amount": 1})
    story.move("act_1", S.FAILED, error={"type": "NotDone", "message": "declined"})
    story.do("act_2", "charge_card", {"amount": 1}, generation=2, parent_id="act_1")
    timeline = story.timeline()
    assert edges(timeline, "rerun of") == {("act_2", "act_1")}
    assert "(run 2)" in str(timeline)


def test_several_sessions_of_a_thread() -> None:
    timeline = tell(*several())
    assert [session.id for session in timeline.sessions] == ["ses_a", "ses_b", "ses_b~1"]
    assert edges(timeline, "rerun of") == {("act_again", "act_send"), ("ses_b~1:opened:1", "ses_b:opened:1")}
    assert ("ses_b:opened:1", "ses_a:superseded:4") in edges(timeline, "caused")
    assert [node.session_id for node in timeline] == sorted(node.session_id for node in timeline)


def test_a_crash_tells_which_process_took_over() -> None:
    timeline = crashed().timeline()
    taken = [node for node in timeline.events if node.event == "taken over"]
    assert [node.text for node in taken] == [
        "another process took over `hubspot.contacts.create`, which a lost one had under way (web-2:200)",
        "another process took over `hubspot.contacts.create`, which a lost one had under way (cli:300)",
    ]
    history = [moment.text for moment in action(timeline, "act_two").history]
    assert history[1:3] == [
        "another process took over (web-2:200); in doubt: it may have happened",
        "a probe found: it happened",
    ]
    assert "another process took over (cli:300); its undo began again (attempt 2)" in history
    assert "the session failed with KeyError: 'phone'" in action(timeline, "act_one").cause


def test_a_process_that_merely_goes_on_is_named_once() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    story.worker = "web-2:200:bbbb"
    story.do("act_2", "files.write", {"path": "b"})
    story.do("act_3", "files.write", {"path": "c"})
    went_on = [node.text for node in story.timeline().events if node.event == "continued"]
    assert went_on == ["another process went on (web-2:200)"]


def test_erased_payloads_leave_the_outline() -> None:
    story = Story(goal="")
    story.do("act_1", "gmail.send", None, intent=Intent())
    story._entry("erased", detail={"entries": [2, 3], "by": "dpo@acme.com"})
    timeline = story.timeline()
    assert [node.text for node in timeline.events if node.event == "erased"] == [
        "payloads were erased by dpo@acme.com"
    ]
    assert "gmail.send" in timeline.to_html()


def test_the_chain_decides_the_order_where_clocks_disagree() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    story.seconds -= 3600
    story.do("act_2", "files.write", {"path": "b"})
    assert [node.id for node in story.timeline().actions] == ["act_1", "act_2"]


def test_without_entries_the_records_tell_what_they_can() -> None:
    story = failing()
    timeline = Timeline([story.record], list(story.actions.values()))
    assert [node.event for node in timeline.events] == ["opened", "failed", "stuck"]
    assert "`charge_card` failed with TimeoutError" in action(timeline, "act_wiki").cause
    assert {node.about for node in timeline.interrupts} == {"approval", "conflict", "undo"}
    assert timeline.nodes[-1].id == "ses_1:stuck"


def test_actions_of_a_session_that_was_not_given() -> None:
    story = failing()
    timeline = Timeline([], list(story.actions.values()))
    assert [session.id for session in timeline.sessions] == ["ses_1"]
    assert all(node.cause for node in timeline.actions if node.undo.outcome)


def test_an_undo_under_way() -> None:
    story = Story()
    story.do("act_1", "files.write", {"path": "a"})
    story.session(SessionStatus.ROLLING_BACK, by="ana")
    story.move("act_1", S.COMPENSATING, {"attempt": 1}, undo=Undo(attempts=1))
    assert story.timeline().causes == (
        "`files.write` (a) is being undone because ana rolled the session back.",
    )


def test_golden() -> None:
    """Other programs read this: a change here is a change of `FORMAT`."""
    told = failing().timeline().to_dict()
    assert json.loads(json.dumps(told)) == json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize("width", [80, 100])
def test_the_console_keeps_to_its_width(width: int) -> None:
    text = to_text(failing().timeline(), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("irreversible", "compensated", "09:32:54"):
        assert word in text


def test_rich_prints_it() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(failing().timeline())
    assert "charge_card" in console.export_text()


def test_a_node_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        failing().timeline()["act_none"]


def test_many_actions_take_work_in_proportion() -> None:
    def cost(count: int) -> int:
        """How many functions are called."""
        story, calls = Story(), 0

        def called(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        for number in range(count):
            story.do(f"act_{number:05}", "files.write", {"path": str(number)})
        sys.setprofile(called)
        try:
            story.timeline()
        finally:
            sys.setprofile(None)
        return calls

    cost(50)
    assert cost(800) < 5 * cost(200)

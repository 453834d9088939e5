"""Hand-made records: sessions as the journal would tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_agentrein.action import (
    Action,
    Approval,
    Entry,
    Intent,
    Reversal,
    Risk,
    SessionRecord,
    SessionStatus,
    Status,
    Undo,
)
from langchain_agentrein.timeline import Timeline

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_S = Status


@dataclass
class Story:
    """One session that is told step by step; every step is a second later."""

    id: str = "ses_1"
    goal: str = "Onboard Ada and tell the lead"
    thread: str | None = "onboarding-7"
    worker: str = "web-1:100:aaaa"
    start: datetime = START
    status: SessionStatus = SessionStatus.OPEN
    failure: Any = None
    reason: str | None = None
    by: str | None = None
    parent: str | None = None
    scope: Any = None
    actions: dict[str, Action] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    seconds: float = 0

    def __post_init__(self) -> None:
        self.session(SessionStatus.OPEN)

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def _entry(self, event: str, **fields: Any) -> None:
        fields.setdefault("detail", {})
        self.entries.append(
            Entry(self.id, len(self.entries) + 1, self.now, event, worker=self.worker, **fields)
        )
        self.seconds += 1

    def session(self, to: SessionStatus, by: str | None = None, **facts: Any) -> None:
        was = str(self.status) if self.entries else None
        self._entry("session", from_status=was, to_status=str(to), detail={"by": by} if by else {})
        self.status = to
        for name, value in {**facts, **({"by": by} if by else {})}.items():
            setattr(self, name, value)

    def begin(
        self, action_id: str, operation: str, args: Any, to: Status = _S.EXECUTING, **fields: Any
    ) -> None:
        """A new action in `PROPOSED`, `DENIED`, `HELD` or `EXECUTING`."""
        detail = {"operation": operation, **fields.pop("detail", {})}
        action = Action(
            action_id,
            self.id,
            operation,
            1,
            to,
            args,
            **{
                "thread_id": self.thread,
                "connector": operation.partition(".")[0],
                "created_at": self.now,
                "intent": Intent("", "", self.goal),
                "risk": Risk.MEDIUM,
                "reversal": Reversal.EXACT,
                **fields,
            },
        )
        if to is _S.EXECUTING:
            action = action.with_(seq=self._next(), started_at=self.now, held_by=self.worker)
        self.actions[action_id] = action
        self._entry("action", action_id=action_id, to_status=str(to), detail=detail)

    def _next(self) -> int:
        return 1 + max((action.seq or 0 for action in self.actions.values()), default=0)

    def move(
        self, action_id: str, to: Status, detail: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        action = self.actions[action_id]
        if to is _S.EXECUTING:
            changes |= {"seq": self._next(), "started_at": self.now}
        if to in (_S.EXECUTED, _S.FAILED, _S.IN_DOUBT):
            changes |= {"finished_at": self.now}
        if action.status is _S.COMPENSATING:
            changes |= {"undone_at": self.now}
        was = str(action.status)
        self.actions[action_id] = action.with_(status=to, **changes)
        self._entry(
            "action", action_id=action_id, from_status=was, to_status=str(to), detail=dict(detail or {})
        )

    def note(self, action_id: str, note: str, **changes: Any) -> None:
        self.actions[action_id] = self.actions[action_id].with_(**changes)
        self._entry("note", action_id=action_id, detail={"note": note})

    def do(self, action_id: str, operation: str, args: Any, receipt: Any = None, **fields: Any) -> None:
        """An action that simply succeeds."""
        self.begin(action_id, operation, args, **fields)
        self.move(action_id, _S.EXECUTED, receipt=receipt if receipt is not None else {"ok": True})

    def undo(self, action_id: str, to: Status, **undo: Any) -> None:
        self.move(action_id, _S.COMPENSATING, {"attempt": undo.get("attempts", 1)})
        self.move(action_id, to, undo=Undo(**{"outcome": str(to), "attempts": 1, **undo}))

    @property
    def record(self) -> SessionRecord:
        ended = self.status not in (SessionStatus.OPEN, SessionStatus.ROLLING_BACK)
        return SessionRecord(
            self.id,
            self.goal,
            self.status,
            self.thread,
            parent_id=self.parent,
            opened_at=self.start,
            closed_at=self.now if ended else None,
            failure=self.failure,
            reason=self.reason,
            by=self.by,
            scope=self.scope,
        )

    def timeline(self, **options: Any) -> Timeline:
        return tell(self, **options)


def tell(*stories: Story, **options: Any) -> Timeline:
    """The timeline of some sessions."""
    return Timeline(
        [story.record for story in stories],
        [action for story in stories for action in story.actions.values()],
        [entry for story in stories for entry in story.entries],
        **options,
    )


def gated(story: Story, action_id: str, operation: str, args: Any, **fields: Any) -> None:
    """An action that waits for a person."""
    asked = Approval("ask", at=story.now, reason=fields.pop("why", f"rule {operation}: ask"))
    fields = {"proposed_args": args, "approval": asked, "risk": Risk.HIGH, **fields}
    story.begin(action_id, operation, args, _S.PROPOSED, **fields)


def failing() -> Story:
    """A failure, and a rollback that meets every outcome."""
    story = Story(goal="Move the March customers to the new plan and tell their account managers")
    story.do(
        "act_update",
        "sql.execute",
        {"statement": "UPDATE customers SET plan = 'pro' WHERE signed_up >= '2026-03-01'"},
        {"rows": 312},
        intent=Intent(
            "The goal says to move the March customers. "
            "I update their plan first, then charge the difference.",
            "reasoning",
            story.goal,
            0.08,
            "claude-sonnet-4-5",
            "0195-run-1",
        ),
        before={"rows": [{"id": 17, "plan": "basic"}, {"id": 18, "plan": "basic"}]},
        account="postgresql://crm",
    )
    story.do("act_note", "hubspot.notes.create", {"contact": 17, "body": "Moved to pro"}, {"id": "n-1"})
    story.do(
        "act_slack",
        "slack.messages.post",
        {"channel": "#sales", "text": "312 customers moved to pro"},
        {"ts": "17.2"},
        reversal=Reversal.COMPENSATING,
        intent=Intent("Account managers read #sales.", "text", story.goal, 0.2, "claude-sonnet-4-5"),
    )
    gated(
        story,
        "act_mail",
        "gmail.send",
        {"to": "managers@acme.com", "subject": "Plans moved", "body": "All done."},
        reversal=Reversal.COMPENSATING,
        message_id="msg_4",
        intent=Intent("The managers must know.", "reasoning", story.goal, 0.1),
    )
    story.seconds += 140
    story.move(
        "act_mail",
        _S.APPROVED,
        {"by": "ana@acme.com"},
        approval=Approval("edit", "ana@acme.com", story.now, "tell them that it is a trial"),
        approved_args={"to": "managers@acme.com", "subject": "Plans moved (trial)", "body": "All done."},
        args={"to": "managers@acme.com", "subject": "Plans moved (trial)", "body": "All done."},
    )
    story.move("act_mail", _S.EXECUTING)
    story.move("act_mail", _S.EXECUTED, receipt={"id": "m-77"})
    story.do("act_title", "github.issues.retitle", {"repo": "acme/crm", "number": 4, "title": "Plans moved"})
    story.do(
        "act_pay",
        "stripe.payouts.create",
        {"amount": 120_00, "currency": "eur"},
        reversal=Reversal.NONE,
        risk=Risk.CRITICAL,
    )
    story.do("act_wiki", "notion.pages.update", {"page": "Plans", "title": "Plans (pro)"})
    story.begin(
        "act_card",
        "charge_card",
        {"customer": "cus_99", "amount": 4_900, "currency": "eur"},
        risk=Risk.HIGH,
        intent=Intent(
            "While I am here I will also charge every customer a set-up fee.", "reasoning", story.goal, 0.81
        ),
    )
    story.move(
        "act_card", _S.FAILED, error={"type": "TimeoutError", "message": "no reply from the bank after 30 s"}
    )
    failure = {
        "type": "TimeoutError",
        "message": "no reply from the bank after 30 s",
        "action_id": "act_card",
    }
    story.session(SessionStatus.ROLLING_BACK, failure=failure)
    story.undo("act_wiki", _S.RESTORED)
    story.undo("act_pay", _S.IRREVERSIBLE, residue=("the payout of 120.00 EUR stays",))
    story.undo("act_title", _S.CONFLICT, error="title: left 'Plans moved', found 'Plans moved by hand'")
    story.undo("act_mail", _S.STUCK, error="awaiting approval: its undo reaches people", attempts=0)
    story.undo("act_slack", _S.COMPENSATED, residue=("3 people had read the message",))
    story.undo("act_note", _S.STUCK, error="tried 4 times: ConnectionError: api.hubapi.com", attempts=4)
    story.undo("act_update", _S.COMPENSATED, residue=("a trigger wrote 2 audit rows",))
    story.session(SessionStatus.STUCK)
    return story


def several() -> list[Story]:
    """A thread with three sessions: one superseded, one completed and called back, one replayed from it."""
    first = Story("ses_a", "Draft the mail")
    first.do("act_draft", "gmail.drafts.create", {"subject": "Hello"})
    first.session(SessionStatus.SUPERSEDED)
    second = Story("ses_b", "Send the mail", start=START + timedelta(minutes=5))
    second.do("act_send", "gmail.send", {"to": "all@acme.com"}, reversal=Reversal.COMPENSATING)
    second.session(SessionStatus.COMPLETED)
    second.session(SessionStatus.ROLLING_BACK, by="ana@acme.com", reason="the wrong list")
    second.undo("act_send", _S.COMPENSATED, residue=("200 people had the mail",), approved_by="ana@acme.com")
    second.session(SessionStatus.ROLLED_BACK)
    third = Story(
        "ses_b~1", "Send the mail", start=START + timedelta(minutes=20), parent="ses_b", thread=None
    )
    third.do("act_again", "gmail.send", {"to": "leads@acme.com"}, generation=2, parent_id="act_send")
    return [third, second, first]


def crashed() -> Story:
    """A worker is lost inside an effect; another one settles it, and is lost in the middle of its undo."""
    story = Story("ses_c", "Import the contacts")
    story.do("act_one", "hubspot.contacts.create", {"email": "ada@acme.com"})
    story.begin("act_two", "hubspot.contacts.create", {"email": "bob@acme.com"})
    story.worker = "web-2:200:bbbb"
    story.seconds += 90
    error = {"type": "WorkerLost", "message": "web-1:100:aaaa was gone while it was under way"}
    story.move("act_two", _S.IN_DOUBT, error=error)
    story.move("act_two", _S.EXECUTED, {"settled": "probe"}, receipt={"id": 2})
    story.session(
        SessionStatus.ROLLING_BACK, failure={"type": "KeyError", "message": "'phone'", "action_id": None}
    )
    story.move("act_two", _S.COMPENSATING, {"attempt": 1}, undo=Undo(attempts=1))
    story.worker = "cli:300:cccc"
    story.seconds += 90
    story.note("act_two", "claimed")
    story.entries[-1] = Entry(
        "ses_c",
        len(story.entries),
        story.now,
        "action",
        "act_two",
        "compensating",
        "compensating",
        story.worker,
        {"attempt": 2, "resumed": True},
    )
    story.move("act_two", _S.RESTORED, undo=Undo("restored", attempts=2))
    story.undo("act_one", _S.RESTORED)
    story.session(SessionStatus.ROLLED_BACK)
    return story

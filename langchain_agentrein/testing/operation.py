"""The laws of an operation that changes something."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

import pytest

from langchain_agentrein.action import UNDONE, Action, Reversal, Status
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import arun, run
from langchain_agentrein.operation import Operation
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackReport
from langchain_agentrein.session import Session
from langchain_agentrein.testing.faults import Killed, answer, count, interrupt, journaled
from langchain_agentrein.testing.laws import LEASE, Laws
from langchain_agentrein.tool import ReversibleTool


class OperationLaws(Laws):
    """The laws of an operation that changes something.

    Fixtures to give: `operation`, `api`. Methods to give: `world`, `foreign_edit`, `foreign_addition`.
    Methods to give where they differ: `left`, `keeps`.
    """

    before_undo: ClassVar[float] = 0.0
    """Seconds to wait before an undo, where the connector is only consistent in the end."""

    def foreign_edit(self, api: Any) -> bool:
        """Change, as somebody else, what the action has changed; `False`: nobody can."""
        raise NotImplementedError("change what the action changed, or return False: a method `foreign_edit`")

    def foreign_addition(self, api: Any) -> bool:
        """Attach something, as somebody else, to what the action created; `False`: nobody can."""
        raise NotImplementedError("attach to what it created, or return False: a method `foreign_addition`")

    def left(self, before: Any, after: Any) -> Any:
        """The world that an undo leaves; `before` for an exact one.

        Args:
            before: The world before the action.
            after: The world after it.
        """
        return before

    def keeps(self, theirs: Any, now: Any) -> bool:
        """Whether what somebody else did, seen in the world `theirs`, is still there `now`."""
        return bool(now == theirs)

    # -- undo --------------------------------------------------------------------------------------

    def test_undo_after_do_is_the_identity(self, rein: AgentRein, operation: Operation, api: Any) -> None:
        """Done, the world differs; undone, it is as before, or what stays is named."""
        before = self.world(api)
        session, after = self._done(rein, operation, api)
        assert after != before, "the operation under test must change something"
        if operation.reversal is Reversal.EXACT:
            assert operation.observes, "what is called restored must be read back: define `observe`"
        action = self._undone(rein, session, operation)
        assert self.world(api) == self.left(before, after)
        if action.reversal is Reversal.EXACT:
            assert (action.status, action.undo.residue) == (Status.RESTORED, ())
        elif action.reversal is Reversal.COMPENSATING:
            assert action.status is Status.COMPENSATED
            assert action.undo.residue, "a compensation names what stays"
        else:
            assert action.status is Status.IRREVERSIBLE

    def test_undo_twice_is_undo_once(self, rein: AgentRein, operation: Operation, api: Any) -> None:
        """A second rollback finds nothing to do."""
        session, _ = self._done(rein, operation, api)
        self._undone(rein, session, operation)
        once = self.world(api)
        assert list(self._rollback(rein, session, operation)) == []
        assert self.world(api) == once

    def test_an_undo_that_died_is_finished_once(
        self, rein: AgentRein, journal: str, operation: Operation, api: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker dies after the undo and before its record; another one finds that it is done."""
        self._reversible(operation)
        before = self.world(api)
        session, after = self._done(rein, operation, api)
        interrupt(monkeypatch, operation, "undo", Killed(), after=True)
        with pytest.raises(Killed):
            self._rollback(rein, session, operation)
        monkeypatch.undo()
        calls = count(monkeypatch, operation, "undo")
        rein.close()
        with self.worker(journal, operation, api) as other:
            time.sleep(LEASE + 0.1)
            self._rollback(other, session, operation)
            [action] = other.actions(session=session.id)
        assert self.world(api) == self.left(before, after)
        assert action.status in UNDONE or (action.status is Status.STUCK and not operation.repeatable)
        assert not calls or operation.repeatable or operation.observes

    def test_another_process_undoes_it(
        self, rein: AgentRein, journal: str, operation: Operation, api: Any
    ) -> None:
        """The journal and a client are enough."""
        before = self.world(api)
        session, after = self._done(rein, operation, api)
        rein.close()
        with self.worker(journal, operation, api) as other:
            self._undone(other, session, operation)
        assert self.world(api) == self.left(before, after)

    def test_another_account_does_not_undo_it(
        self, rein: AgentRein, operation: Operation, api: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Credentials of another account touch nothing."""
        self._reversible(operation)
        session, after = self._done(rein, operation, api)
        monkeypatch.setattr(type(operation), "account", lambda self, api: "somebody else's")
        self._rollback(rein, session, operation)
        [action] = session.actions()
        assert action.status is Status.STUCK
        assert "WrongAccount" in (action.undo.error or "")
        assert self.world(api) == after

    def test_a_plan_touches_nothing(self, rein: AgentRein, operation: Operation, api: Any) -> None:
        """What a rollback would do is found out by looking."""
        session, after = self._done(rein, operation, api)
        [line] = self._drive(rein, operation, "plan", session=session.id)
        assert line.verdict in ("undo", "ask", "irreversible")
        assert self.world(api) == after

    # -- the record --------------------------------------------------------------------------------

    def test_the_snapshot_survives_the_journal(self, operation: Operation, api: Any) -> None:
        """It is JSON that may hold bytes, and reads back as it was."""
        try:
            before = answer(operation.snapshot(api))
            assert journaled(before) == before
        finally:
            operation.release()

    def test_the_record_tells_what_is_there(self, rein: AgentRein, operation: Operation, api: Any) -> None:
        """Receipt and observation survive the journal; right after, nothing else is observed."""
        session, _ = self._done(rein, operation, api)
        [action] = session.actions()
        assert action.status is Status.EXECUTED
        assert journaled(action.receipt) == action.receipt
        if operation.observes:
            assert answer(operation.observe(api, action)) == action.after
            expected = operation.expect(action)
            assert expected is None or expected == action.after

    # -- doubt -------------------------------------------------------------------------------------

    def test_a_lost_reply_is_settled(
        self, rein: AgentRein, operation: Operation, api: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It happened and the reply was lost: a probe says so, and the undo works from what it says."""
        before = self.world(api)
        interrupt(monkeypatch, operation, "do", TimeoutError("the reply was lost"), after=True)
        session = rein.session(intent="the laws")
        action = self._failing(rein, session, operation, api, TimeoutError)
        self._settled(rein, session, operation, api, action, before)

    def test_a_death_is_settled(
        self, rein: AgentRein, operation: Operation, api: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It happened and the worker died: `recover` finds out from the record alone."""
        before = self.world(api)
        interrupt(monkeypatch, operation, "do", Killed(), after=True)
        session = rein.session(intent="the laws")
        action = self._failing(rein, session, operation, api, Killed)
        assert action.status is Status.IN_DOUBT
        self._drive(rein, operation, "recover")
        self._settled(rein, session, operation, api, session.actions()[-1], before)

    def test_what_was_never_sent_did_not_happen(
        self, rein: AgentRein, operation: Operation, api: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The call never left: no probe takes that for done."""
        before = self.world(api)
        interrupt(monkeypatch, operation, "do", TimeoutError("never sent"), after=False)
        session = rein.session(intent="the laws")
        action = self._failing(rein, session, operation, api, TimeoutError)
        assert action.status in (Status.FAILED, Status.IN_DOUBT)
        assert self.world(api) == before

    # -- others ------------------------------------------------------------------------------------

    def test_what_others_changed_is_kept(self, rein: AgentRein, operation: Operation, api: Any) -> None:
        """Somebody changed it since: that is never overwritten, and a person is told."""
        self._reversible(operation)
        session, _ = self._done(rein, operation, api)
        if not self.foreign_edit(api):
            pytest.skip("nobody else can change it")
        self._kept(rein, session, operation, api)

    def test_only_a_person_lets_an_undo_overwrite(
        self, rein: AgentRein, operation: Operation, api: Any
    ) -> None:
        """A forced undo goes through whatever others changed; or it leaves that alone, and says why."""
        self._reversible(operation)
        before = self.world(api)
        session, after = self._done(rein, operation, api)
        if not self.foreign_edit(api):
            pytest.skip("nobody else can change it")
        theirs = self.world(api)
        self._rollback(rein, session, operation, on_conflict="force")
        [action] = session.actions()
        if action.status in (Status.CONFLICT, Status.STUCK):
            assert action.undo.error
            assert self.keeps(theirs, self.world(api))
        else:
            assert action.status in UNDONE
            assert self.world(api) == self.left(before, after)

    def test_what_others_added_is_kept(self, rein: AgentRein, operation: Operation, api: Any) -> None:
        """Somebody built on what it created: that survives, and a person is told."""
        self._reversible(operation)
        session, _ = self._done(rein, operation, api)
        if not self.foreign_addition(api):
            pytest.skip("nobody else can attach to it")
        self._kept(rein, session, operation, api)

    # -- how ---------------------------------------------------------------------------------------

    def _done(self, rein: AgentRein, operation: Operation, api: Any) -> tuple[Session, Any]:
        """Do it, as a tool; returns the session and the world after."""
        tool = ReversibleTool.of_operation(type(operation), api).bound(rein)
        with rein.session(intent="the laws") as session:
            if operation.is_async:
                asyncio.run(tool.ainvoke(operation.args))
            else:
                tool.invoke(operation.args)
        return session, self.world(api)

    def _failing(
        self, rein: AgentRein, session: Session, operation: Operation, api: Any, error: type[BaseException]
    ) -> Action:
        """Do it, by hand, while its `do` is interrupted."""
        flow = rein.perform(operation, api, Call(session=session.record))
        try:
            if operation.is_async:
                asyncio.run(arun(flow))
            else:
                run(flow)
        except error:
            pass
        [action] = session.actions()
        return action

    def _settled(
        self, rein: AgentRein, session: Session, operation: Operation, api: Any, action: Action, before: Any
    ) -> None:
        after = self.world(api)
        assert after != before
        if action.status is Status.IN_DOUBT:
            assert (action.error or {}).get("unsettled"), "an effect in doubt says what stood in the way"
            return
        assert action.status is Status.EXECUTED, "what happened must never count as failed"
        if operation.reversal is Reversal.NONE:
            return
        if operation.observes and not action.seen:  # nobody looked, and `expect` cannot tell
            self._rollback(rein, session, operation)
            [action] = session.actions()
            assert action.status in {*UNDONE, Status.CONFLICT}
            assert self.world(api) in (after, self.left(before, after))
            return
        self._undone(rein, session, operation)
        assert self.world(api) == self.left(before, after)

    def _kept(self, rein: AgentRein, session: Session, operation: Operation, api: Any) -> None:
        theirs = self.world(api)
        self._rollback(rein, session, operation)
        [action] = session.actions()
        assert self.keeps(theirs, self.world(api))
        if action.status is Status.COMPENSATED:
            assert action.undo.residue, "what stays because of others is named"
        else:
            assert action.status in (Status.CONFLICT, Status.STUCK)
            assert action.undo.error

    def _undone(self, rein: AgentRein, session: Session, operation: Operation) -> Action:
        time.sleep(self.before_undo)
        self._rollback(rein, session, operation)
        [action] = rein.actions(session=session.id)
        assert action.status in UNDONE, f"{action.status}: {action.undo.error}"
        return action

    def _rollback(
        self, rein: AgentRein, session: Session, operation: Operation, **options: Any
    ) -> RollbackReport:
        """Undo, with every far-reaching undo approved."""
        plan = self._drive(rein, operation, "plan", session=session.id)
        options |= {"session": session.id, "approve": plan, "by": "the laws"}
        report = self._drive(rein, operation, "rollback", **options)
        assert isinstance(report, RollbackReport)
        return report

    def _drive(self, rein: AgentRein, operation: Operation, call: str, **options: Any) -> Any:
        if operation.is_async:
            return asyncio.run(getattr(rein, f"a{call}")(**options))
        return getattr(rein, call)(**options)

    def _reversible(self, operation: Operation) -> None:
        if operation.reversal is Reversal.NONE:
            pytest.skip("nothing undoes it")

"""The steps at which the lab's stories kill nobody, each with its reason."""

from __future__ import annotations

READS = "it reads, for a person, and nothing depends on it"
PAUSES = "a tool that interrupts its own run: integration_tests/test_calls_in_graphs.py"
WAITS = "it waits, holding nothing that a lease does not give back"
RACES = "another worker came first: integration_tests/lab/test_many.py has the races"
LATE = "a worker that wakes after its lease: the lab's `stop`, and integration_tests/lab/test_many.py"
PEOPLE = "a person's word outside a graph: one transaction, or nothing"
OTHERWISE = "an option that the lab does not set; what it does is one transaction, or nothing"
KEPT_BACK = (
    "a release that cannot begin, or fails: one transaction, or nothing; unit_tests/engine/test_hold.py"
)
NEWER = "a newer message while the run goes on: integration_tests/graphs/test_hold.py"
ASKED = "a person is asked about a failed undo: integration_tests/graphs/test_walk.py"

EXEMPT = {
    "engine/approvals.py:decide core.journal.move": PEOPLE,
    "engine/approvals.py:lapsed core.journal.move": OTHERWISE,
    "engine/approvals.py:permitted call.ask": OTHERWISE,
    "engine/approvals.py:refuse core.journal.move": OTHERWISE,
    "engine/calls.py:earlier_of Sleep": WAITS,
    "engine/compensate.py:_end Sleep": WAITS,
    "engine/compensate.py:_tries Sleep": WAITS,
    "engine/compensate.py:compensate core.journal.release": "an error, not a death: unit_tests/engine/test_compensate.py",
    "engine/effect.py:_late _reopened": LATE,
    "engine/effect.py:_late core.journal.begin": LATE,
    "engine/effect.py:_late core.journal.calls": LATE,
    "engine/effect.py:_late core.journal.move": LATE,
    "engine/effect.py:_late core.journal.session": LATE,
    "engine/effect.py:_paused core.journal.pause": PAUSES,
    "engine/effect.py:_recorded Sleep": WAITS,
    "engine/effect.py:_settled core.journal.get": RACES,
    "engine/effect.py:_wait Sleep": WAITS,
    "engine/holding.py:drop core.journal.move": PEOPLE,
    "engine/holding.py:leave_to_a_person core.journal.note": NEWER,
    "engine/holding.py:leave_to_a_person core.journal.on_hold": NEWER,
    "engine/holding.py:let_fall core.journal.get": "a rollback of a part: it reads, before it drops",
    "engine/perform.py:_irreversible self.core.journal.move": "a secret that no key seals: unit_tests/journal/test_sealing.py",
    "engine/perform.py:_record journal.pause": PAUSES,
    "engine/plan.py:_dropped core.journal.get": READS,
    "engine/reconcile.py:_left core.journal.get": RACES,
    "engine/reconcile.py:_left_behind op.observe": "a reply that was lost, and a probe at once: the lab's `swallow`",
    "engine/reconcile.py:reconcile core.journal.get": RACES,
    "engine/reconcile.py:reconcile_paused core.journal.get": RACES,
    "engine/reconcile.py:reconcile_paused core.journal.move": PAUSES,
    "engine/reconcile.py:leave_undone core.journal.note": PEOPLE,
    "engine/reconcile.py:settle_by_hand core.journal.actions": PEOPLE,
    "engine/reconcile.py:settle_by_hand core.journal.move": PEOPLE,
    "engine/reconcile.py:settle_by_hand core.journal.set_session": PEOPLE,
    "engine/recover.py:_failing core.journal.actions": READS,
    "engine/recover.py:_failing core.journal.sessions": READS,
    "engine/releasing.py:_done core.journal.get": KEPT_BACK,
    "engine/releasing.py:_done core.journal.move": KEPT_BACK,
    "engine/releasing.py:_released core.journal.get": RACES,
    "engine/releasing.py:_stays core.journal.get": RACES,
    "engine/releasing.py:_stays core.journal.note": KEPT_BACK,
    "engine/releasing.py:_tried _on_a_loop": "an async operation: test_lab.py kills there",
    "engine/walk.py:_approvals core.journal.get": RACES,
    "engine/walk.py:_others Sleep": RACES,
    "engine/walk.py:_others core.journal.get": RACES,
    "graphs/agent.py:_first rein.journal.session": "a hand-built graph: it freezes by the same flow",
    "graphs/agent.py:_freeze identity.session_of": "a hand-built graph: it freezes by the same flow",
    "graphs/agent.py:_freeze rein.journal.session": "a hand-built graph: it freezes by the same flow",
    "graphs/agent.py:_freeze rein.journal.sessions": "a hand-built graph: it freezes by the same flow",
    "graphs/compensation.py:attend self.core.journal.get": ASKED,
    "graphs/compensation.py:confirm self.core.journal.set_session": OTHERWISE,
    "graphs/doubt.py:_refuse_foreign rein.journal.sessions": OTHERWISE,
    "graphs/failure.py:found rein.journal.effects": "lost checkpoints alone: integration_tests/graphs/test_orphans.py",
    "graphs/failure.py:of_model rein.journal.session": OTHERWISE,
    "graphs/gate.py:flow self.rein.journal.move": "an answer that came too late: integration_tests/graphs/test_gate_cut_short.py",
    "graphs/failure.py:kept rein.journal.session": OTHERWISE,
    "graphs/failure.py:kept rein.journal.set_session": OTHERWISE,
    "journal/journal.py:pause transaction": PAUSES,
    "journal/journal.py:release transaction": "an error, not a death: unit_tests/engine/test_compensate.py",
    "journal/journal.py:renew transaction": "by the clock, from a thread of its own: it moves nothing but a lease",
    "reading.py:_action self.journal.get": READS,
    "reading.py:_actions self.journal.actions": READS,
    "reading.py:_export self.journal.chains": READS,
    "reading.py:_forget self.journal.mentioning": READS,
    "reading.py:_held self.journal.on_hold": READS,
    "reading.py:_heads self.journal.heads": READS,
    "reading.py:_own self.journal.sessions": READS,
    "reading.py:_scope self.journal.sessions": READS,
    "reading.py:_sessions self.journal.sessions": READS,
    "reading.py:_timeline self.journal.actions": READS,
    "reading.py:_timeline self.journal.entries": READS,
    "reading.py:_timeline self.journal.sessions": READS,
    "reading.py:_verify self.journal.verify": READS,
    "session.py:_fail self.rein.journal.session": "a session around code without a graph: the same freeze and walk",
    "session.py:_fail self.rein.journal.set_session": OTHERWISE,
}

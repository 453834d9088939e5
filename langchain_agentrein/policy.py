"""What decides `allow`, `ask`, `deny` or `hold`: rules, and what holds where no rule speaks."""

from __future__ import annotations

import difflib
import fnmatch
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from langchain_agentrein.action import Action, Reversal, Risk
from langchain_agentrein.engine import Verdict
from langchain_agentrein.errors import ConfigError, RuleError
from langchain_agentrein.operation import Assessment, Operation

Outcome: TypeAlias = Literal["allow", "ask", "deny", "hold"]
OnUnknown: TypeAlias = Literal["ask", "deny", "allow"]

ALIASES = {"gmail.send": "gmail.messages.send", "gmail.draft": "gmail.drafts.create"}
"""Short names for what people call these operations."""
UNKNOWN = ".unknown"
"""How the operation of a wrapped SDK's calls ends that no other covers; it has no tool."""
_WILD = frozenset("*?[")
LONGEST = timedelta(days=36_525)
"""The longest that something may be held after its session completed."""


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """One line of the policy; the first that matches decides.

    Args:
        pattern: An operation's name (`sql.execute`), a tool's name (`sql_execute`), or a glob (`github.*`).
        decision: `allow`, `ask`, `deny`, or `hold`: it is journaled and not done before its session completes, and
            dropped if the session fails or is rolled back. What nothing undoes is then released unasked only by a
            rule with its exact name; else it waits for a person.
        above: Match only actions riskier than this.
        when: Match only actions for which this is true. It sees the drafted action; one that raises
            counts as a match that asks.
        release_after: With `hold`: how long after the session completed it is done, in seconds or as a `timedelta`.
            Whoever runs `recover` then does it.

    Raises:
        RuleError: The decision is not one of those, or the delay is none.
    """

    pattern: str
    decision: Outcome = "ask"
    above: Risk | None = None
    when: Callable[[Action], bool] | None = None
    release_after: timedelta | float = 0.0

    def __post_init__(self) -> None:
        if self.decision not in ("allow", "ask", "deny", "hold"):
            raise RuleError(
                f"rule {self.pattern!r}: {self.decision!r} is no decision; use 'allow', 'ask', 'deny' or 'hold'"
            )
        if not self.pattern:
            raise RuleError(
                "a rule needs a pattern: an operation's name, a tool's name, or a glob such as 'sql.*'"
            )

        given = self.release_after
        if isinstance(given, bool) or not isinstance(given, timedelta | int | float):
            raise RuleError(f"rule {self.pattern!r}: release_after={given!r}: give seconds, or a timedelta")
        if not 0 <= self.delay <= LONGEST.total_seconds():
            raise RuleError(f"rule {self.pattern!r}: release_after={given!r} is no time to wait")
        if self.delay and self.decision != "hold":
            raise RuleError(
                f"rule {self.pattern!r}: release_after goes with 'hold', not with {self.decision!r}"
            )

    @property
    def delay(self) -> float:
        """`release_after` in seconds."""
        given = self.release_after
        return given.total_seconds() if isinstance(given, timedelta) else float(given)

    @property
    def exact(self) -> bool:
        """Whether it names one operation, not a family."""
        return not _WILD & set(self.pattern)

    def names(self, operation: str) -> bool:
        """Whether the pattern names this operation."""
        pattern = ALIASES.get(self.pattern, self.pattern)
        return any(fnmatch.fnmatchcase(name, pattern) for name in (operation, operation.replace(".", "_")))

    def __str__(self) -> str:
        above = f" above {self.above}" if self.above is not None else ""
        when = " when its condition holds" if self.when is not None else ""
        return f"rule '{self.pattern}' {self.decision}{above}{when}"


@dataclass(frozen=True, slots=True)
class Budget:
    """A cumulative limit. Not in this release: `AgentRein(budgets=...)` refuses it by name.

    Args:
        pattern: Which operations count, as in `ApprovalRule`.
        actions: How many of them a session may run.
    """

    pattern: str
    actions: int


class Policy:
    """Rules in order, then the defaults: ask at high risk and for what nothing undoes, else allow.

    Args:
        rules: The first that matches decides.
        unknown: What holds for a tool that declares nothing about itself.
    """

    def __init__(
        self, rules: Sequence[ApprovalRule] = (), budgets: Sequence[Budget] = (), unknown: OnUnknown = "ask"
    ) -> None:
        if budgets:
            raise ConfigError("budgets are not in this release: use ApprovalRule(..., above=...) instead")
        if unknown not in ("ask", "deny", "allow"):
            raise ConfigError(f"unknown={unknown!r}: use 'ask', 'deny' or 'allow'")
        for rule in rules:
            if not isinstance(rule, ApprovalRule):
                raise RuleError(f"{rule!r} is no ApprovalRule")
        self.rules, self.unknown = tuple(rules), unknown

    def decide(self, action: Action, assessment: Assessment, first: Sequence[ApprovalRule] = ()) -> Verdict:
        """What holds for a drafted action.

        Args:
            first: The session's own rules, before the common ones.
        """
        for rule in (*first, *self.rules):
            if not rule.names(action.operation) or (rule.above is not None and action.risk <= rule.above):
                continue
            try:
                if rule.when is not None and not rule.when(action):
                    continue
            except Exception as error:  # fail closed: a broken condition must not let anything through
                broken = f"{rule}: its condition failed with {type(error).__name__}: {error}"
                return Verdict("deny" if rule.decision == "deny" else "ask", broken)
            if rule.decision == "allow" and not rule.exact and assessment.reversal is Reversal.NONE:
                return Verdict("ask", "nothing undoes it, and only a rule with its exact name allows that")
            if rule.decision == "hold":
                alone = rule.exact or assessment.reversal is not Reversal.NONE
                return Verdict("hold", str(rule), rule.delay if alone else None)
            return Verdict(rule.decision, str(rule))
        return self._default(action, assessment)

    def _default(self, action: Action, assessment: Assessment) -> Verdict:
        if not assessment.declared:
            return Verdict(self.unknown, "the tool says nothing about what it does")
        if assessment.reversal is Reversal.NONE:
            return Verdict("ask", "nothing undoes it")
        if action.risk >= Risk.HIGH:
            return Verdict("ask", f"its risk is {action.risk}")
        return Verdict("allow")

    def may_ask(self, operation: type[Operation]) -> bool:
        """Whether some call of an operation could need a person, as far as its class tells."""
        for rule in self.rules:
            if rule.names(operation.name):
                if rule.decision == "ask" or (rule.decision == "hold" and operation.tied):
                    return True
                if rule.above is None and rule.when is None:
                    return False
        usual = operation.usual()
        if not usual.declared:
            return self.unknown == "ask"
        return usual.reversal is Reversal.NONE or usual.risk >= Risk.HIGH

    def check(self, known: Collection[str]) -> None:
        """Look for rules that match nothing, once the tools are known.

        Args:
            known: Names of operations and tools.
        Raises:
            RuleError: A rule looks like a misspelt name, or names a connector that has no such operation.
                Any other is warned about: it may be meant for another agent.
        """
        connectors = {name.partition(".")[0] for name in known if "." in name}
        for rule in self.rules:
            if any(rule.names(name) for name in known) or rule.pattern.endswith(UNKNOWN):
                continue
            pattern = ALIASES.get(rule.pattern, rule.pattern)
            close = difflib.get_close_matches(pattern, sorted(known), n=1, cutoff=0.75)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"
            message = f"{rule} matches none of the tools{hint}"
            if close or pattern.partition(".")[0] in connectors:
                raise RuleError(message)
            warnings.warn(message, stacklevel=2)

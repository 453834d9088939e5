"""Labels of an issue: the undo changes back only what was really changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.definitions import defined, definitions, forget, undefined
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.issues import Number
from langchain_agentrein.toolkits.github.operation import GitHubOperation

Labels = Annotated[
    list[str],
    AfterValidator(lambda names: sorted({name.casefold(): name for name in names}.values())),
    Field(min_length=1, description="Names of labels."),
]


class _Labelling(GitHubOperation):
    """Puts labels on an issue, or takes them off.

    before: {"had": {label: bool}, "made": [label]}: of the labels that change, whether the issue had each; and those
    that did not exist. after: {label: bool, "label NAME": bool}, the latter of those that were made
    """

    risk, reversal = Risk.LOW, Reversal.COMPENSATING
    partial, repeatable = True, True

    number: Number
    labels: Labels

    def wanted(self, had: Sequence[str]) -> Sequence[str]:
        """The issue's labels once the call is done.

        Args:
            had: Its labels.
        """
        raise NotImplementedError

    def send(self, hub: Hub, action: Action) -> Any:
        """The call; returns GitHub's answer, the issue's labels."""
        raise NotImplementedError

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        had = self._labels(hub)
        then = {name.casefold(): name for name in self.wanted(list(had.values()))}
        changed = sorted({*had} ^ {*then})
        names = {**then, **had}
        added = [names[name] for name in changed if name in then]
        return {
            "had": {names[name]: name in had for name in changed},
            "made": undefined(hub, self.repo, added),
        }

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"number": int, "labels": [the issue's labels now]}"""
        return self._told(label["name"] for label in self.send(hub_of(api), action))

    def _told(self, names: Iterable[str]) -> Json:
        return {"number": self.number, "labels": sorted(names)}

    def _labels(self, hub: Hub) -> dict[str, str]:
        issue = hub.get(self.at("issues", self.number))
        return {label["name"].casefold(): label["name"] for label in issue["labels"]}

    def observe(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        there = self._labels(hub)
        has = {name: name.casefold() in there for name in action.before["had"]}
        return {**has, **defined(hub, self.repo, action.before["made"])}

    def as_before(self, action: Action) -> Json:
        return {**action.before["had"], **definitions(action.before["made"], False)}

    def expect(self, action: Action) -> Json:
        has = {name: not had for name, had in action.before["had"].items()}
        return {**has, **definitions(action.before["made"], True)}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self.observe(hub, action)
        if now == self.expect(action):
            return Happened(self._told(self._labels(hub).values()), after=now)
        return (
            NotHappened()
            if now == self.as_before(action)
            else Unknown("some of the labels changed, and some did not")
        )

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, there = hub_of(api), self._labels(hub_of(api))
        had = action.before["had"]
        back = [name for name in had if action.undo_fields is None or name in action.undo_fields]
        for name in back:
            if not had[name] and name.casefold() in there:
                hub.send("DELETE", self.at("issues", self.number, "labels", quote(name, safe="")))
        if again := [name for name in back if had[name]]:
            hub.send("POST", self.at("issues", self.number, "labels"), {"labels": again})
        kept = forget(hub, self.repo, action.before["made"])
        return [f"the history of #{self.number} shows both changes", *kept]


class AddLabels(_Labelling):
    """Put labels on an issue; one that is unknown is created. The undo takes off those that it did not have."""

    name = "github.issues.add_labels"

    def wanted(self, had: Sequence[str]) -> Sequence[str]:
        return [*had, *self.labels]

    def send(self, hub: Hub, action: Action) -> Any:
        return hub.send("POST", self.at("issues", self.number, "labels"), {"labels": self.labels})


class RemoveLabels(_Labelling):
    """Take labels off an issue. The undo puts back those that it had."""

    name = "github.issues.remove_labels"

    def wanted(self, had: Sequence[str]) -> Sequence[str]:
        off = {name.casefold() for name in self.labels}
        return [name for name in had if name.casefold() not in off]

    def send(self, hub: Hub, action: Action) -> Any:
        """One request a label: once one is off, a refusal does not mean that nothing was done."""
        there = self._labels(hub)
        left: Any = [{"name": name} for name in there.values()]
        done: list[str] = []
        for name in action.before["had"]:
            if name.casefold() not in there:
                continue
            try:
                left = hub.send("DELETE", self.at("issues", self.number, "labels", quote(name, safe="")))
            except NotDone as error:
                if done:
                    raise RuntimeError(f"took off {', '.join(done)}, and not {name}: {error}") from error
                raise
            done.append(name)
        return left


class SetLabels(_Labelling):
    """Replace all labels of an issue. The undo changes back those that it put on or took off."""

    name, risk = "github.issues.set_labels", Risk.MEDIUM

    def wanted(self, had: Sequence[str]) -> Sequence[str]:
        return self.labels

    def send(self, hub: Hub, action: Action) -> Any:
        return hub.send("PUT", self.at("issues", self.number, "labels"), {"labels": self.labels})

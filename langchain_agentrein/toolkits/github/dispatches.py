"""Events that start automation. What they start cannot be unstarted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Probed, Unknown
from langchain_agentrein.toolkits.github.hub import PAGE, SKEW, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation


class DispatchWorkflow(GitHubOperation):
    """Start a workflow. Nothing undoes what it does; a run can be cancelled by hand."""

    name, risk, reversal = "github.workflows.dispatch", Risk.HIGH, Reversal.NONE
    scopes = ("actions: write",)

    workflow: str = Field(min_length=1, description="The workflow's file name, such as main.yml, or its id.")
    ref: str = Field(min_length=1, description="The branch or tag that it runs on.")
    inputs: dict[str, str] = Field(
        default_factory=dict, max_length=25, description="What the workflow file asks for, by name."
    )

    def _path(self, *parts: str) -> str:
        return self.at("actions", "workflows", quote(self.workflow, safe=""), *parts)

    def snapshot(self, api: Any) -> Json:
        """{"workflow": str, "path": str}: for whoever reads the record"""
        there = hub_of(api).get(self._path())
        if there["state"] != "active":
            raise NotDone(f"the workflow {there['name']!r} is {there['state']}")
        return {"workflow": there["name"], "path": there["path"]}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"workflow": str, "run": int | None, "url": str | None}; an older server does not tell the run"""
        given = {"ref": self.ref, "inputs": dict(self.inputs), "return_run_details": True}
        told = hub_of(api).send("POST", self._path("dispatches"), given) or {}
        return {
            "workflow": action.before["workflow"],
            "run": told.get("workflow_run_id"),
            "url": told.get("html_url"),
        }

    def probe(self, api: Any, action: Action) -> Probed:
        """A run does not say which request started it."""
        hub = hub_of(api)
        hub.wait_for(action)
        found = hub.get(self._path("runs"), event="workflow_dispatch", actor=hub.login, per_page=PAGE)
        begun = (action.started_at or datetime.now(UTC)) - SKEW
        runs = [
            run["html_url"]
            for run in found["workflow_runs"]
            if datetime.fromisoformat(run["created_at"]) >= begun
        ]
        return Unknown(
            f"{hub.login} started {len(runs)} run(s) of it at about that time, and one may be this: {', '.join(runs)}"
            if runs
            else f"no run of it by {hub.login} is seen yet; GitHub may be late to start one"
        )


class DispatchRepository(GitHubOperation):
    """Send a repository an event of your own, which its workflows and apps may act on. Nothing undoes what they do."""

    name, risk, reversal = "github.repository_dispatch", Risk.HIGH, Reversal.NONE
    scopes = ("contents: write",)

    event_type: str = Field(min_length=1, max_length=100, description="The event's name.")
    client_payload: dict[str, Any] = Field(
        default_factory=dict, max_length=10, description="What goes along with it, as JSON."
    )

    def snapshot(self, api: Any) -> Json:
        hub_of(api).get(self.at())
        return None

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"event_type": str}"""
        given = {"event_type": self.event_type, "client_payload": self.client_payload}
        hub_of(api).send("POST", self.at("dispatches"), given)
        return {"event_type": self.event_type}

    def probe(self, api: Any, action: Action) -> Probed:
        return Unknown("GitHub keeps no list of the events that it was sent")

"""What GitHub serves and its emulator does not, as GitHub's description has it: every reply is checked against it.

Invitations, reactions, sub-issues, dispatches, and of GraphQL the two mutations that REST lacks. Repositories and issues
are the emulator's.
"""

from __future__ import annotations

import copy
import http.client
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.openapi import Description

Answer = tuple[int, Any, dict[str, str]]
REPO = r"/repos/(?P<repo>[^/]+/[^/]+)"
ISSUE = rf"{REPO}/issues/(?P<number>\d+)"
SHOWN = ("id", "node_id", "number", "title", "url", "html_url", "repository_url", "state")
ROLES = {"pull": "read", "push": "write"}
NOTHING: dict[str, str] = {}


class Refused(Exception):
    """GitHub says no, with a status and words of its own."""


class Extra:
    """Stands before the emulator, for a `fault_proxy`.

    Attributes:
        wrong: Replies of its own that GitHub would not give.
        roles, invited: By repository, then by login; `invited` holds `(id, role)`.
        reactions: By subject (`REPO/issues/N`), as `(id, login, content)`.
        below: By repository and number, the numbers below it, in their order.
        events: What was dispatched, by repository.
        gone: Issues that were deleted (`None`) or moved, by repository and number.
    """

    def __init__(self, server: str, description: Description) -> None:
        self.server, self.description = server, description
        self.wrong: list[str] = []
        self.roles: dict[str, dict[str, str]] = {}
        self.invited: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
        self.reactions: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        self.below: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.events: dict[str, list[Any]] = defaultdict(list)
        self.gone: dict[tuple[str, int], tuple[str, int] | None] = {}
        self._read: list[tuple[str, int]] = []
        self._ids = itertools.count(1001)
        self._token, self._login, self._query = "bot-0", "bot", ""

    def state(self, repo: str) -> Any:
        """Everything that people see of it."""
        self._roles(repo)
        return copy.deepcopy(
            {
                "roles": self.roles[repo],
                "invited": {who: role for who, (_, role) in self.invited[repo].items()},
                "reactions": {
                    on: all_ for on, all_ in self.reactions.items() if on.startswith(repo) and all_
                },
                "below": {n: all_ for (where, n), all_ in self.below.items() if where == repo and all_},
                "events": self.events[repo],
                "gone": {n: where for (of, n), where in self.gone.items() if of == repo},
            }
        )

    def serve(self, verb: str, target: str, body: bytes, token: str) -> Answer | None:
        """Answer, or leave it to the emulator."""
        parts = urlsplit(target)
        self._token, self._login, self._query = token, token.rpartition("-")[0], parts.query
        for pattern, method in ROUTES:
            found = re.fullmatch(pattern, f"{verb} {parts.path}")
            if found is None:
                continue
            given = json.loads(body) if body else {}
            try:
                answer = method(self, given, **found.groupdict())
            except Refused as no:
                answer = (*no.args, NOTHING)
            if answer is not None and parts.path != "/graphql" and answer[0] != 404:
                self.wrong += self.description.reply(verb, target, answer[0], answer[1])
            return answer
        return None

    # -- people ------------------------------------------------------------------------------------

    def _roles(self, repo: str) -> dict[str, str]:
        if repo not in self.roles:
            known = self._ask("GET", f"/repos/{repo}/collaborators")
            self.roles[repo] = {repo.partition("/")[0]: "admin", **{one["login"]: "write" for one in known}}
        return self.roles[repo]

    def collaborators(self, given: Any, repo: str) -> Answer:
        like = self._example("collaborator-items")[0]
        told = [{**like, **self._user(who), "role_name": role} for who, role in self._roles(repo).items()]
        return 200, told, NOTHING

    def add(self, given: Any, repo: str, user: str) -> Answer:
        role = ROLES.get(given.get("permission", "push"), given.get("permission"))
        if user in self._roles(repo):
            self.roles[repo][user] = role
            return 204, None, NOTHING
        self.invited[repo][user] = (next(self._ids), role)
        return 201, self._invitation(repo, user), NOTHING

    def remove(self, given: Any, repo: str, user: str) -> Answer:
        self._roles(repo).pop(user, None)
        return 204, None, NOTHING

    def invitations(self, given: Any, repo: str) -> Answer:
        return 200, [self._invitation(repo, user) for user in self.invited[repo]], NOTHING

    def withdraw(self, given: Any, repo: str, identity: str) -> Answer:
        for user, (known, _) in list(self.invited[repo].items()):
            if known == int(identity):
                del self.invited[repo][user]
                return 204, None, NOTHING
        raise self._none()

    def accept(self, repo: str, user: str) -> None:
        """What the person does in a browser."""
        _, role = self.invited[repo].pop(user)
        self._roles(repo)[user] = role

    def _invitation(self, repo: str, user: str) -> Any:
        made = self._example("repository-invitation")
        identity, role = self.invited[repo][user]
        return {**made, "id": identity, "invitee": self._user(user), "permissions": role}

    # -- reactions ---------------------------------------------------------------------------------

    def reacted(self, given: Any, subject: str) -> Answer:
        wanted = parse_qs(self._query).get("content", [None])[0]
        found = [one for one in self.reactions[subject] if wanted in (None, one[2])]
        return 200, [self._reaction(*one) for one in found], NOTHING

    def react(self, given: Any, subject: str) -> Answer:
        for one in self.reactions[subject]:
            if one[1:] == (self._login, given["content"]):
                return 200, self._reaction(*one), NOTHING
        made = (next(self._ids), self._login, given["content"])
        self.reactions[subject].append(made)
        return 201, self._reaction(*made), NOTHING

    def unreact(self, given: Any, subject: str, identity: str) -> Answer:
        left = [one for one in self.reactions[subject] if one[0] != int(identity)]
        if left == self.reactions[subject]:
            raise self._none()
        self.reactions[subject] = left
        return 204, None, NOTHING

    def _reaction(self, identity: int, login: str, content: str) -> Any:
        made = self._example("reaction")
        return {**made, "id": identity, "user": self._user(login), "content": content}

    # -- sub-issues --------------------------------------------------------------------------------

    def sub_issues(self, given: Any, repo: str, number: str) -> Answer:
        return 200, [self._issue(repo, n) for n in self.below[repo, int(number)]], NOTHING

    def nest(self, given: Any, repo: str, number: str) -> Answer:
        child = self._number(repo, given["sub_issue_id"])
        if self._above(repo, child) is not None:
            raise Refused(422, {"message": "An issue may only have one parent", "documentation_url": ""})
        self.below[repo, int(number)].append(child)
        return 201, self._issue(repo, int(number)), NOTHING

    def unnest(self, given: Any, repo: str, number: str) -> Answer:
        child = self._number(repo, given["sub_issue_id"])
        if child not in self.below[repo, int(number)]:
            raise self._none()
        self.below[repo, int(number)].remove(child)
        return 200, self._issue(repo, int(number)), NOTHING

    def parent(self, given: Any, repo: str, number: str) -> Answer:
        above = self._above(repo, int(number))
        if above is None:
            raise self._none()
        return 200, self._issue(repo, above), NOTHING

    def order(self, given: Any, repo: str, number: str) -> Answer:
        all_ = self.below[repo, int(number)]
        child = self._number(repo, given["sub_issue_id"])
        beside = self._number(repo, given.get("after_id") or given["before_id"])
        all_.remove(child)
        all_.insert(all_.index(beside) + ("after_id" in given), child)
        return 200, self._issue(repo, int(number)), NOTHING

    def _above(self, repo: str, child: int) -> int | None:
        return next((n for (where, n), all_ in self.below.items() if where == repo and child in all_), None)

    def _number(self, repo: str, identity: int) -> int:
        known = self._ask("GET", f"/repos/{repo}/issues?state=all&per_page=100")
        return next(int(one["number"]) for one in known if one["id"] == identity)

    def _issue(self, repo: str, number: int) -> Any:
        there = self._ask("GET", f"/repos/{repo}/issues/{number}")
        return {**self._example("issue"), **{name: there[name] for name in SHOWN}}

    # -- dispatches --------------------------------------------------------------------------------

    def workflow(self, given: Any, repo: str, name: str) -> Answer:
        return 200, {**self._example("workflow"), "name": name, "path": f".github/workflows/{name}"}, NOTHING

    def start(self, given: Any, repo: str, name: str) -> Answer:
        self.events[repo].append((name, given["ref"], given.get("inputs")))
        if not given.get("return_run_details"):
            return 204, None, NOTHING
        return 200, self._example("workflow-dispatch-response"), NOTHING

    def runs(self, given: Any, repo: str, name: str) -> Answer:
        found = [one for one in self.events[repo] if one[0] == name]
        like = self._example("workflow-run-paginated")["workflow_runs"][0]
        return 200, {"total_count": len(found), "workflow_runs": [like for _ in found]}, NOTHING

    def dispatch(self, given: Any, repo: str) -> Answer:
        self.events[repo].append((given["event_type"], given.get("client_payload")))
        return 204, None, NOTHING

    # -- what the emulator lists issue by issue alone ------------------------------------------------

    def comments(self, given: Any, repo: str, kind: str) -> Answer:
        name = {"issues": "issue-comment-items", "pulls": "pull-request-review-comment-items"}[kind]
        like, found = self._example(name)[0], []
        for one in self._ask("GET", f"/repos/{repo}/{kind}?state=all&per_page=100"):
            found += self._ask("GET", f"/repos/{repo}/{kind}/{one['number']}/comments?per_page=100")
        shown = ("id", "body", "html_url", "user", "created_at", "updated_at")
        return 200, [{**like, **{name: one[name] for name in shown}} for one in found], NOTHING

    # -- issues that go ----------------------------------------------------------------------------

    def issue(self, given: Any, repo: str, number: str) -> Answer | None:
        key = (repo, int(number))
        if key not in self.gone:
            self._read.append(key)
            return None
        where = self.gone[key]
        if where is None:
            return 410, {"message": "This issue was deleted", "documentation_url": ""}, NOTHING
        url = f"{self.server}/repos/{where[0]}/issues/{where[1]}"
        return 301, {"message": "Moved Permanently", "url": url}, {"Location": url}

    def graphql(self, given: Any) -> Answer | None:
        """What is asked and done by it alone; to anything else it is not there, as in the emulator."""
        if "viewer" in given["query"]:
            return 200, {"data": {"viewer": {"login": self._login}}}, NOTHING
        if not any(name in given["query"] for name in ("deleteIssue", "transferIssue")):
            return None
        variables = given["variables"]
        repo, number = self._node(variables.get("id") or variables["issue"])
        if "deleteIssue" in given["query"]:
            self.gone[repo, number] = None
            return 200, {"data": {"deleteIssue": {"clientMutationId": None}}}, NOTHING
        known = self._ask("GET", "/user/repos?per_page=100&sort=created&direction=desc")
        to = next(one["full_name"] for one in known if one["node_id"] == variables["to"])
        title = self._ask("GET", f"/repos/{repo}/issues/{number}")["title"]
        made = self._ask("POST", f"/repos/{to}/issues", {"title": title})
        self.gone[repo, number] = (to, made["number"])
        moved = {"number": made["number"], "url": made["html_url"]}
        return 200, {"data": {"transferIssue": {"issue": moved}}}, NOTHING

    def _node(self, node: str) -> tuple[str, int]:
        """Of the issues that were read, newest first: a client has a node's id from nowhere else."""
        for repo, number in reversed(self._read):
            if self._ask("GET", f"/repos/{repo}/issues/{number}").get("node_id") == node:
                return repo, number
        raise self._none()

    # -- how ---------------------------------------------------------------------------------------

    def _ask(self, verb: str, path: str, body: Any = None) -> Any:
        upstream = http.client.HTTPConnection(urlsplit(self.server).netloc, timeout=30)
        try:
            said = None if body is None else json.dumps(body)
            upstream.request(verb, path, said, {"Authorization": f"token {self._token}"})
            return json.loads(upstream.getresponse().read())
        finally:
            upstream.close()

    def _user(self, login: str) -> Any:
        return {**self._example("reaction")["user"], "login": login}

    def _example(self, name: str) -> Any:
        return copy.deepcopy(self.description.content["components"]["examples"][name]["value"])

    @staticmethod
    def _none() -> Refused:
        return Refused(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


SUBJECT = r"/repos/(?P<subject>[^/]+/[^/]+/issues/(?:comments/)?\d+)/reactions"
WORKFLOW = rf"{REPO}/actions/workflows/(?P<name>[^/]+)"
ROUTES: list[tuple[str, Callable[..., Answer | None]]] = [
    (rf"GET {REPO}/collaborators", Extra.collaborators),
    (rf"PUT {REPO}/collaborators/(?P<user>[^/]+)", Extra.add),
    (rf"DELETE {REPO}/collaborators/(?P<user>[^/]+)", Extra.remove),
    (rf"GET {REPO}/invitations", Extra.invitations),
    (rf"DELETE {REPO}/invitations/(?P<identity>\d+)", Extra.withdraw),
    (rf"GET {SUBJECT}", Extra.reacted),
    (rf"POST {SUBJECT}", Extra.react),
    (rf"DELETE {SUBJECT}/(?P<identity>\d+)", Extra.unreact),
    (rf"GET {ISSUE}/sub_issues", Extra.sub_issues),
    (rf"POST {ISSUE}/sub_issues", Extra.nest),
    (rf"DELETE {ISSUE}/sub_issue", Extra.unnest),
    (rf"GET {ISSUE}/parent", Extra.parent),
    (rf"PATCH {ISSUE}/sub_issues/priority", Extra.order),
    (rf"GET {WORKFLOW}", Extra.workflow),
    (rf"POST {WORKFLOW}/dispatches", Extra.start),
    (rf"GET {WORKFLOW}/runs", Extra.runs),
    (rf"POST {REPO}/dispatches", Extra.dispatch),
    (rf"GET {REPO}/(?P<kind>issues|pulls)/comments", Extra.comments),
    (rf"GET {ISSUE}", Extra.issue),
    (r"POST /graphql", Extra.graphql),
]

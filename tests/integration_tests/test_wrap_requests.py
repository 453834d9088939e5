"""A client that first builds a request, and then executes it: google-api-python-client, known by its method ids.

The connector is the test's own. It shows that the proxy takes such a client with a table, too.
"""

from __future__ import annotations

import contextvars
import copy
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from langchain_agentrein import Action, AgentRein, NotCovered, NotDone, Operation, Reversal, Risk, Status
from langchain_agentrein.sdk import Given, Row, Sdk, UnknownCall
from langchain_agentrein.wrap import Wrapped, unwrapped
from tests.support.emulators import NoEmulator, emulate

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # about a version of grpcio, which nobody uses here
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import Resource, build
    from googleapiclient.errors import HttpError
    from googleapiclient.http import BatchHttpRequest, HttpRequest

SEED = """
tokens:
  mail-0: {login: ana@example.com, scopes: ["https://mail.google.com/"]}
google:
  users: [{email: ana@example.com, name: Ana}]
"""


@pytest.fixture(scope="module")
def gmail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The developer's client of an emulator's Gmail."""
    try:
        with emulate("google", SEED, tmp_path_factory.mktemp("google")) as url:
            service = build(
                "gmail",
                "v1",
                credentials=Credentials(token="mail-0"),
                static_discovery=True,
                cache_discovery=False,
                client_options={"api_endpoint": url},
            )
            yield service
            service.close()
    except NoEmulator as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


class CreateLabel(Operation):
    """Make a label. The undo deletes it."""

    name, risk, reversal = "mailbox.labels.create", Risk.LOW, Reversal.EXACT
    label: str

    def do(self, api: Any, action: Action) -> Any:
        try:
            return api.users().labels().create(userId="me", body={"name": self.label}).execute()
        except HttpError as error:
            raise NotDone(str(error)) from error

    def observe(self, api: Any, action: Action) -> Any:
        found = api.users().labels().list(userId="me").execute()["labels"]
        return {"name": self.label} if any(one["name"] == self.label for one in found) else None

    def undo(self, api: Any, action: Action) -> None:
        api.users().labels().delete(userId="me", id=action.receipt["id"]).execute()


class UnknownRequest(UnknownCall):
    """A request that no operation covers."""

    name = "mailbox.unknown"


_LET: contextvars.ContextVar[bool] = contextvars.ContextVar("let", default=False)


class ReadingHttp:
    """The transport of the twin."""

    def __init__(self, http: Any) -> None:
        self.http = http

    def request(self, uri: str, method: str = "GET", *args: Any, **kwargs: Any) -> Any:
        if method != "GET" and not _LET.get():
            raise NotCovered(f"{method} {uri} comes from no operation", method=method)
        return self.http.request(uri, method, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.http, name)


def create_label(owner: HttpRequest, given: Given) -> Mapping[str, Any]:
    given.take("num_retries")
    return {"label": json.loads(owner.body)["name"]}


class MailboxSdk(Sdk):
    """Methods are known by the ids of the discovery document, which a request carries until it is executed."""

    connector, unknown = "mailbox", UnknownRequest
    rows: ClassVar[Mapping[str, Row]] = {
        "gmail.users.labels.create": Row(CreateLabel, create_label, lambda owner, args, receipt: receipt)
    }

    def twin(self, client: Any) -> Any:
        twin = copy.copy(client)
        twin._http = ReadingHttp(client._http)
        return twin

    def api(self, client: Any) -> Any:
        return client

    def covers(self, value: Any) -> bool:
        return isinstance(value, Resource | HttpRequest | BatchHttpRequest)

    def method(self, owner: Any, name: str) -> str:
        executed = isinstance(owner, HttpRequest) and name == "execute"
        return str(owner.methodId) if executed else super().method(owner, name)

    def reads(self, owner: Any, method: str, arguments: Mapping[str, Any]) -> bool:
        return isinstance(owner, Resource) or (isinstance(owner, HttpRequest) and owner.method == "GET")

    @contextmanager
    def letting(self) -> Iterator[None]:
        token = _LET.set(True)
        try:
            yield
        finally:
            _LET.reset(token)


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        yield rein


def names(service: Any) -> set[str]:
    return {one["name"] for one in service.users().labels().list(userId="me").execute()["labels"]}


def test_building_is_free_and_executing_is_journaled(rein: AgentRein, gmail: Any) -> None:
    service = rein.wrap(gmail, connector=MailboxSdk())
    before = names(service)
    with rein.session("label the mail") as session:
        request = service.users().labels().create(userId="me", body={"name": "Stale"})
        assert isinstance(request, HttpRequest) and isinstance(request, Wrapped)
        assert session.actions() == [] and names(gmail) == before
        made = request.execute(num_retries=0)
        assert made["name"] == "Stale"
    [action] = session.actions()
    assert (action.operation, action.args, action.status) == (
        "mailbox.labels.create",
        {"label": "Stale"},
        Status.EXECUTED,
    )
    assert action.metadata == {"sdk": "gmail.users.labels.create"}
    assert names(service) == before | {"Stale"}
    assert session.rollback().complete
    assert names(gmail) == before


def test_what_has_no_row_is_refused_and_nothing_gets_out(rein: AgentRein, gmail: Any) -> None:
    service = rein.wrap(gmail, connector=MailboxSdk(), unknown="deny")
    before = names(gmail)
    drop = service.users().labels().delete(userId="me", id="Label_1")
    with pytest.raises(NotCovered, match=r"gmail\.users\.labels\.delete") as refused:
        drop.execute()
    assert refused.value.nearest is None
    batch = service.new_batch_http_request()
    with pytest.raises(NotCovered, match=r"BatchHttpRequest\.(add|execute)"):
        batch.add(service.users().labels().create(userId="me", body={"name": "Sneaked in"}))
    with pytest.raises(NotCovered, match="comes from no operation"):
        unwrapped(service.users().labels().create(userId="me", body={"name": "Sneaked in"})).execute()
    assert names(gmail) == before

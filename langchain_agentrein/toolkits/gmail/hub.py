"""Gmail as the operations speak with it: the developer's service, whose errors say whether anything was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import Resource

from langchain_agentrein.action import Action
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.toolkits.gmail.replies import Gone, reading, writing
from langchain_agentrein.toolkits.gmail.template import Correction
from langchain_agentrein.toolkits.gmail.transport import HttpOnce, twin

ME: Final = "me"
SETTLES: Final = 10.0
"""Seconds after which a request whose reply was lost has ended; an assumption of ours, Gmail states no limit."""
SKEW: Final = timedelta(minutes=10)
"""How far clocks may differ."""
RECENT: Final = timedelta(hours=1)
"""How far back whole lists are read; what is older is found by a search, whose index lags behind."""
PAGE: Final = 500
MANY: Final = 10
CONSUMERS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Domains whose users have no colleagues: none is outside of them."""


class Hub:
    """A Gmail service for reversible operations. It may be used from any thread.

    Args:
        service: The developer's, as `googleapiclient.discovery.build("gmail", "v1", ...)` makes it. It is not
            changed: each request goes over a connection of its own, since httplib2's may not be shared by threads.
        settles: Seconds after which a request whose reply was lost has ended.
        retries: How often a read that failed is tried again. A write never is.
        many: A mail to more people than this is critical.
        inside: Domains of the developer's own; a mail to any other is critical. `None`: the account's domain,
            unless that is gmail.com.
        correction: What people are told whom a mail reached by mistake.

    Raises:
        ConfigError: The service has a transport of its own, whose requests cannot be kept from being repeated.
    """

    def __init__(
        self,
        service: Resource,
        *,
        settles: float = SETTLES,
        retries: int = 2,
        many: int = MANY,
        inside: Iterable[str] | None = None,
        correction: Correction | None = None,
    ) -> None:
        given = service._http
        self._credentials = given.credentials if isinstance(given, AuthorizedHttp) else None
        self._given = given.http if isinstance(given, AuthorizedHttp) else given
        if not isinstance(self._given, httplib2.Http):
            raise ConfigError(
                f"the Gmail service sends by a {type(self._given).__name__}: build it with credentials, or with an "
                "httplib2.Http"
            )
        self._email = ""
        self.users: Any = service.users()
        self.settles, self.retries, self.many = settles, retries, many
        self.correction = correction or Correction()
        self._inside = None if inside is None else frozenset(domain.lower() for domain in inside)
        self.told: set[str] = set()
        """The references of corrections that this process has sent; Gmail's list may not show them yet."""
        self.references: dict[str, tuple[datetime, list[str]]] = {}
        """Of the mails sent that it has read: when, and the references in them."""

    def account(self) -> str:
        """The mailbox's address, asked once for each service."""
        if not self._email:
            self._email = str(self.get(self.users.getProfile(userId=ME))["emailAddress"]).lower()
        return self._email

    def outside(self, addresses: Iterable[str]) -> list[str]:
        """Those of the addresses that are in nobody's own domain."""
        own = self._inside
        if own is None:
            own = frozenset({self.account().rpartition("@")[2]})
            if own <= CONSUMERS:
                return []
        return [address for address in addresses if address.rpartition("@")[2].lower() not in own]

    def get(self, request: Any) -> Any:
        """What a request that reads answers.

        Raises:
            Gone: There is nothing.
            NotDone: It could not be read.
        """
        [answer] = self.each([request])
        return answer

    def find(self, request: Any) -> Any:
        """What a request that reads answers, or `None` where there is nothing."""
        [answer] = self.each([request], missing=True)
        return answer

    def each(self, requests: Iterable[Any], *, missing: bool = False) -> Iterator[Any]:
        """What several requests that read answer, over one connection.

        Args:
            missing: What is not there is answered by `None`.
        """
        with self._connection(httplib2.Http) as http:
            seen = False
            for request in requests:
                try:
                    with reading():
                        answer = request.execute(http=http, num_retries=self.retries)
                except Gone:
                    if not missing:
                        raise
                    answer = None
                    if not seen:  # what may not be seen at all must not count as gone
                        with reading():
                            self.users.getProfile(userId=ME).execute(http=http, num_retries=self.retries)
                        seen = True
                yield answer

    def pages(self, ask: Callable[..., Any], what: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Everything in a list, page by page.

        Args:
            ask: The method that lists.
            what: The answer's field that holds the items.
        """
        token: str | None = None
        while True:
            more = {} if token is None else {"pageToken": token}
            answer = self.get(ask(userId=ME, maxResults=PAGE, **parameters, **more))
            yield from answer.get(what) or ()
            token = answer.get("nextPageToken")
            if not token:
                return

    def old(self, action: Action) -> bool:
        """Whether an action began so long ago that not everything since then can be read."""
        return datetime.now(UTC) - (action.started_at or datetime.now(UTC)) > RECENT

    def since(self, action: Action, *labels: str, search: str) -> Iterator[dict[str, Any]]:
        """The messages that carry all of these labels, newest first, from not long before an action began.

        Clocks differ. Without their text.

        Args:
            search: What finds them, where it began long ago.
        """
        begun = action.started_at or datetime.now(UTC)
        messages = self.users.messages()
        wanted: dict[str, Any] = {"labelIds": list(labels)} if labels else {}
        if self.old(action):
            wanted["q"] = search
        listed = self.pages(messages.list, "messages", includeSpamTrash=True, **wanted)
        requests = (messages.get(userId=ME, id=one["id"], format="metadata") for one in listed)
        for message in self.each(requests, missing=True):
            if message is None:
                continue
            if begun - datetime.fromtimestamp(int(message["internalDate"]) / 1000, UTC) > SKEW:
                return
            yield message

    def send(self, request: Any) -> Any:
        """Change something, once.

        Raises:
            NotDone: Gmail refused it.
            Throttled: It asks to wait, and did nothing.
            Exception: Whatever else leaves open whether it was done.
        """
        with self._connection(HttpOnce) as http, writing():
            return request.execute(http=http, num_retries=0)

    def wait_for(self, action: Action) -> None:
        """Wait until a request whose reply was lost cannot land any more."""
        begun = action.started_at or datetime.now(UTC)
        left = self.settles - (datetime.now(UTC) - begun).total_seconds()
        time.sleep(min(max(left, 0.0), self.settles))

    @contextmanager
    def _connection(self, kind: type[httplib2.Http]) -> Iterator[Any]:
        http = twin(self._given, kind)
        try:
            yield http if self._credentials is None else AuthorizedHttp(self._credentials, http=http)
        finally:
            http.close()


_HUBS: WeakKeyDictionary[Resource, Hub] = WeakKeyDictionary()


def hub_of(client: Any) -> Hub:
    """The hub of a service; of a hub, itself."""
    if isinstance(client, Hub):
        return client
    if client not in _HUBS:
        _HUBS[client] = Hub(client)
    return _HUBS[client]

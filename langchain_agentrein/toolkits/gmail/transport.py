"""A connection that sends each request once.

httplib2 sends a request again, POST included, where the server hangs up without an answer (`Http._conn_request`): a
mail whose reply was lost would be sent twice, whatever `num_retries` says.
"""

from __future__ import annotations

from typing import Any

import httplib2

TIMEOUT = 60.0
"""Seconds, where the developer's own client sets none; as google-api-python-client has it."""


class NeverSent(Exception):
    """No connection was made, so nothing was sent."""


class ReplyLost(Exception):
    """The request was sent, and the server hung up without an answer."""


class _Once:
    """Refuses to send a request again before the first one was answered."""

    _sent = False

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except (OSError, httplib2.HttpLib2Error) as error:
            if self._sent:
                raise ReplyLost("the server hung up without an answer") from error
            raise NeverSent(f"{type(error).__name__}: {error}") from error

    def request(self, *args: Any, **options: Any) -> None:
        if self._sent:
            raise ReplyLost("the server hung up without an answer")
        self._sent = True
        super().request(*args, **options)  # type: ignore[misc]

    def getresponse(self, *args: Any, **options: Any) -> Any:
        answer = super().getresponse(*args, **options)  # type: ignore[misc]
        self._sent = False
        return answer


class _Plain(_Once, httplib2.HTTPConnectionWithTimeout):  # type: ignore[misc]
    """Over HTTP."""


class _Secure(_Once, httplib2.HTTPSConnectionWithTimeout):  # type: ignore[misc]
    """Over HTTPS."""


class HttpOnce(httplib2.Http):  # type: ignore[misc]
    """An `httplib2.Http` whose requests go out once."""

    def request(self, uri: str, *args: Any, connection_type: Any = None, **options: Any) -> Any:
        kind = connection_type or (_Secure if uri.lower().startswith("https:") else _Plain)
        return super().request(uri, *args, connection_type=kind, **options)


def twin(given: httplib2.Http, kind: type[httplib2.Http]) -> httplib2.Http:
    """A fresh `kind`, set up as the developer's: one that no other thread uses."""
    fresh = kind(
        timeout=TIMEOUT if given.timeout is None else given.timeout,
        proxy_info=given.proxy_info,
        ca_certs=given.ca_certs,
        disable_ssl_certificate_validation=given.disable_ssl_certificate_validation,
        tls_maximum_version=given.tls_maximum_version,
        tls_minimum_version=given.tls_minimum_version,
    )
    fresh.credentials, fresh.certificates = given.credentials, given.certificates
    fresh.follow_redirects = given.follow_redirects
    return fresh

"""Gmail as LangChain tools."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from google.api_core.client_options import ClientOptions
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import credentials, service_account
from googleapiclient.discovery import Resource, build

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit
from langchain_agentrein.toolkits.gmail import (
    deletion,
    drafts,
    filters,
    forwarding,
    inserts,
    labelling,
    labels,
    reads,
    send,
    send_as,
    settings,
    trash,
)
from langchain_agentrein.toolkits.gmail.hub import MANY, Hub
from langchain_agentrein.toolkits.gmail.template import Correction

TOKEN_FILE = "GMAIL_TOKEN_FILE"
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
USER = "GMAIL_USER"
API_URL = "GMAIL_API_URL"
SCOPES = tuple(f"https://www.googleapis.com/auth/{name}" for name in ("gmail.modify", "gmail.settings.basic"))


class GmailToolkit(Toolkit):
    """Reading and reversible writing in a Gmail mailbox, through the developer's own service.

        GmailToolkit(build("gmail", "v1", credentials=credentials)).get_tools()

    Args:
        service: What `googleapiclient.discovery.build("gmail", "v1", ...)` returns. It is not changed; see `Hub`.
        many: A mail to more people than this is critical.
        inside: Domains of your own; a mail to any other is critical. `None`: the account's domain, unless that
            is gmail.com.
        correction: What people are told whom a mail reached by mistake, when it is undone.
        options: `include`, `exclude`, `read_only`: see `Toolkit`.
    """

    connector: ClassVar[str] = "gmail"
    operations: ClassVar[tuple[type[Operation], ...]] = (
        reads.GetProfile,
        reads.SearchMessages,
        reads.GetMessage,
        reads.ListThreads,
        reads.GetThread,
        reads.ListLabels,
        reads.ListDrafts,
        reads.GetDraft,
        reads.ListFilters,
        reads.GetVacation,
        reads.ListSendAs,
        reads.GetForwarding,
        send.SendMessage,
        drafts.CreateDraft,
        drafts.UpdateDraft,
        drafts.DeleteDraft,
        send.SendDraft,
        labelling.ModifyMessage,
        labelling.BatchModifyMessages,
        labelling.ModifyThread,
        trash.TrashMessage,
        trash.UntrashMessage,
        trash.TrashThread,
        trash.UntrashThread,
        inserts.InsertMessage,
        inserts.ImportMessage,
        deletion.DeleteMessage,
        deletion.BatchDeleteMessages,
        deletion.DeleteThread,
        labels.CreateLabel,
        labels.UpdateLabel,
        labels.DeleteLabel,
        filters.CreateFilter,
        filters.DeleteFilter,
        settings.UpdateVacation,
        settings.UpdateAutoForwarding,
        send_as.CreateSendAs,
        send_as.UpdateSendAs,
        send_as.DeleteSendAs,
        forwarding.CreateForwardingAddress,
        forwarding.DeleteForwardingAddress,
    )

    def __init__(
        self,
        service: Resource | Hub,
        *,
        many: int = MANY,
        inside: Iterable[str] | None = None,
        correction: Correction | None = None,
        **options: Any,
    ) -> None:
        hub = service
        if not isinstance(hub, Hub):
            hub = Hub(service, many=many, inside=inside, correction=correction)
        super().__init__(client=hub, **options)

    @classmethod
    def from_env(cls) -> Self:
        """The toolkit for a user's token, or for a service account that acts for a user.

        `GMAIL_TOKEN_FILE` names a file as `Credentials.to_json()` of google-auth writes it. Without it,
        `GOOGLE_APPLICATION_CREDENTIALS` names a service account's key, and `GMAIL_USER` the mailbox. `GMAIL_API_URL`
        names another host's API.

        Raises:
            ConfigError: Neither is set, or a file is not what it should be.
        """
        where = os.environ.get(API_URL)
        options = ClientOptions(api_endpoint=where) if where else None
        credentials = _from_env(cls.__name__)
        return cls(
            build("gmail", "v1", credentials=credentials, static_discovery=True, client_options=options)
        )


def _from_env(toolkit: str) -> Any:
    token, key, user = (os.environ.get(name) for name in (TOKEN_FILE, KEY_FILE, USER))
    try:
        if token:
            return credentials.Credentials.from_authorized_user_file(token)  # type: ignore[no-untyped-call]
        if key and user:
            return service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
                key, scopes=SCOPES, subject=user
            )
    except (OSError, ValueError, GoogleAuthError) as error:
        raise ConfigError(f"{token or key} is no file of credentials: {error}") from error
    if key:
        raise ConfigError(f"set {USER} to the mailbox for which the service account of {KEY_FILE} acts")
    raise ConfigError(
        f"set {TOKEN_FILE} to a file with a user's token, or {KEY_FILE} and {USER}, or pass a service to {toolkit}(...)"
    )

"""What people are told whom a mail reached by mistake: the developer's words."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_agentrein.errors import ConfigError

SUBJECT = "Please disregard: {subject}"
BODY = """Hello,

a message with the subject "{subject}", which you received from this address on {date}, was sent by mistake by an \
automated process. Please disregard it, and whatever else you received from the same run.

We apologise for the inconvenience.
"""
LABEL = "Sent by mistake"
KNOWN = {"subject": "", "date": ""}


@dataclass(frozen=True, slots=True)
class Correction:
    """The mail by which an undo corrects one that was sent.

    It goes to each person alone, once in a session. It never quotes what was sent, nor names anybody else.

    Args:
        subject: Its subject. `{subject}` and `{date}` stand for those of the mail that it corrects.
        body: Its text, likewise. A line with a reference is put beneath it, by which it is recognised.
        label: What the thread is labelled with; `None`: it is not.

    Raises:
        ConfigError: A placeholder is not one of those two.
    """

    subject: str = SUBJECT
    body: str = BODY
    label: str | None = LABEL

    def __post_init__(self) -> None:
        try:
            filled = (self.subject.format(**KNOWN), self.body.format(**KNOWN))
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                f"a correction knows {{subject}} and {{date}} alone, and here is another: {error}"
            ) from error
        if not filled[1].strip():
            raise ConfigError("a correction needs a text")

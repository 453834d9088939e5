"""JSON that is too large to lie in the text of a payload: compressed bytes, into which the journal still looks."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Self

from langchain_agentrein.action import Json

_BYTES = "\0bytes"
"""The one key of what stands for bytes; no database and no reader has a name with a NUL."""


class Packed(bytes):
    """Compressed JSON, kept beside a payload's text as bytes are.

    A secret cannot be seen in compressed bytes. So whoever seals or hides looks at what is in it, and
    one secret makes a secret of all of it.
    """

    @classmethod
    def of(cls, value: Json) -> Self:
        """Compress `value`; bytes in it stay bytes.

        Raises:
            TypeError: It is not JSON.
        """
        text = json.dumps(value, separators=(",", ":"), default=_spell)
        return cls(zlib.compress(text.encode("ascii")))

    def value(self) -> Json:
        """What is in it."""
        return json.loads(zlib.decompress(self), object_hook=_read)


def _spell(value: Any) -> Json:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} is not JSON")


def _read(found: dict[str, Json]) -> Json:
    return base64.b64decode(found[_BYTES]) if found.keys() == {_BYTES} else found

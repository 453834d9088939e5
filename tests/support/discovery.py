"""Requests, held against the description of an API that google-api-python-client brings along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import googleapiclient.discovery_cache

KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True)
class Described:
    """One API.

    Attributes:
        document: Its discovery document.
    """

    document: Mapping[str, Any]

    def problems(self, verb: str, url: str, body: bytes) -> list[str]:
        """What is wrong with a request; nothing, if the API has described it so."""
        parts = urlsplit(url)
        method = self._method(verb, parts.path)
        if method is None:
            return [f"no method is {verb} {parts.path}"]
        said = list(self._parameters(method, parse_qs(parts.query, keep_blank_values=True)))
        wanted = method.get("request", {}).get("$ref")
        if wanted is None:
            return said + ([f"{method['id']} takes no body"] if body else [])
        try:
            value = json.loads(body)
        except ValueError:
            return [*said, f"{method['id']} wants a body of JSON"]
        return said + list(self._value(self.document["schemas"][wanted], value, wanted))

    def _method(self, verb: str, path: str) -> Mapping[str, Any] | None:
        for method in _methods(self.document):
            pattern = re.sub(r"\{\w+\}", "[^/]+", method["path"])
            if method["httpMethod"] == verb and re.fullmatch(pattern, unquote(path).lstrip("/")):
                return method
        return None

    def _parameters(self, method: Mapping[str, Any], query: Mapping[str, list[str]]) -> Iterator[str]:
        known = {**self.document["parameters"], **method.get("parameters", {})}
        for name, values in query.items():
            described = known.get(name)
            if described is None or described.get("location") != "query":
                yield f"{method['id']} has no parameter {name}"
                continue
            if len(values) > 1 and not described.get("repeated"):
                yield f"{name} is given {len(values)} times"
            for value in values:
                if "enum" in described and value not in described["enum"]:
                    yield f"{name} cannot be {value}"
                if described["type"] == "boolean" and value not in ("true", "false"):
                    yield f"{name} is no boolean: {value}"
                if described["type"] == "integer" and not value.isdigit():
                    yield f"{name} is no integer: {value}"

    def _value(self, schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        kind = KINDS.get(schema.get("type", "object"), object)
        if not isinstance(value, kind) or (isinstance(value, bool) and schema.get("type") != "boolean"):
            yield f"{where} is no {schema.get('type')}: {value!r}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where} cannot be {value!r}"
        if schema.get("format") in ("int64", "uint64") and not re.fullmatch(r"\d+", value):
            yield f"{where} is no {schema['format']}: {value!r}"
        if isinstance(value, list):
            for n, item in enumerate(value):
                yield from self._value(schema["items"], item, f"{where}[{n}]")
        elif isinstance(value, dict):
            for name, item in value.items():
                if name not in schema["properties"]:
                    yield f"{where} has no field {name}"
                else:
                    yield from self._value(schema["properties"][name], item, f"{where}.{name}")


def _methods(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)


@cache
def described(api: str) -> Described:
    """An API by its name and version, as `gmail.v1`."""
    folder = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
    return Described(json.loads((folder / f"{api}.json").read_text()))

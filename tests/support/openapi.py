"""A vendor's published OpenAPI description, and what of a request or a reply it does not allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator, oas30_format_checker
from referencing import Registry, Resource, Specification

from tests.support.emulators import HOME, NoEmulator

DESCRIPTION = "node_modules/@octokit/openapi/generated/api.github.com.json"
"""GitHub's, below the folder of the emulators. Source: github.com/github/rest-api-description."""
ROOT = "urn:description"
TAKES_NULL = (
    "/paths/~1repos~1{owner}~1{repo}~1milestones~1{milestone_number}/patch"
    "/requestBody/content/application~1json/schema/properties/due_on",
)
"""Fields that GitHub clears with null, and does not say so. Source: github.com/octokit/octokit.js/pull/1404."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the description, as a path matched it.

    Attributes:
        at: Where it stands in the description, as a JSON pointer.
        said: The path's parameters.
    """

    template: str
    verb: str
    at: str
    said: Mapping[str, str]


class Description:
    """An OpenAPI 3.0 description."""

    def __init__(self, file: Path) -> None:
        self.content: dict[str, Any] = json.loads(file.read_text(), object_hook=_nullable)
        resource: Resource[Any] = Resource(self.content, Specification.OPAQUE)
        self._registry: Registry[Any] = Registry().with_resource(ROOT, resource)
        self._validators: dict[tuple[type, str], Any] = {}

    def request(self, verb: str, target: str, body: bytes) -> list[str]:
        """What is wrong with a request; empty: nothing."""
        parts = urlsplit(target)
        if parts.path == "/graphql":
            return []  # it has a description of its own
        call = self.call(verb, parts.path)
        if isinstance(call, str):
            return [call]
        where = f"{verb} {call.template}"
        return [f"{where}: {problem}" for problem in self._problems(call, parts.query, body)]

    def reply(self, verb: str, target: str, status: int, body: Any) -> list[str]:
        """What is wrong with a reply, `body` being its JSON; `None`: it has none."""
        call = self.call(verb, urlsplit(target).path)
        if isinstance(call, str):
            return [call]
        where = f"{status} of {verb} {call.template}"
        known = self.at(call.at)["responses"].get(str(status))
        if known is None:
            return [f"{where}: there is no such reply"]
        answer, at = self._resolved(known, f"{call.at}/responses/{status}")
        if "application/json" not in answer.get("content", {}):
            return [] if body is None else [f"{where}: it has no body"]
        at = f"{at}/content/application~1json/schema"
        return [f"{where}: {wrong}" for wrong in self._invalid(OAS30ReadValidator, at, body)]

    def call(self, verb: str, path: str) -> Call | str:
        """What a path means; or why it means nothing."""
        for template, pattern, slots in self._patterns:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if verb.lower() in self.content["paths"][template]:
                said = {name: unquote(text) for name, text in zip(slots, found.groups(), strict=True)}
                return Call(template, verb, f"/paths/{_escaped(template)}/{verb.lower()}", said)
        return f"{verb} {path}: there is no such call"

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str], list[str]]]:
        """The paths, those with the fewest slots first: a word goes before a slot that would take it."""
        made = []
        for template, verbs in self.content["paths"].items():
            slots = re.findall(r"{([^}]+)}", template)
            wide = {
                parameter["name"]
                for verb in verbs.values()
                for parameter in self._parameters(verb)
                if parameter.get("x-multi-segment")
            }
            pattern = re.escape(template)
            for slot in slots:
                taken = "(.+)" if slot in wide else "([^/]+)"
                pattern = pattern.replace(re.escape(f"{{{slot}}}"), taken)
            made.append((template, re.compile(pattern), slots))
        return sorted(made, key=lambda one: (len(one[2]), "(.+)" in one[1].pattern))

    def _problems(self, call: Call, query: str, body: bytes) -> Iterator[str]:
        operation = self.at(call.at)
        known = {(one["in"], one["name"]): one for one in self._parameters(operation)}
        given = {
            **{("path", name): value for name, value in call.said.items()},
            **{("query", name): value for name, value in parse_qsl(query, keep_blank_values=True)},
        }
        for (kind, name), parameter in known.items():
            if parameter.get("required") and (kind, name) not in given:
                yield f"the {kind} parameter {name} is missing"
        for (kind, name), value in given.items():
            if (kind, name) not in known:
                yield f"there is no {kind} parameter {name}"
                continue
            schema = known[kind, name]["schema"]
            checked = self._validator(OAS30WriteValidator, schema).iter_errors(self._read(value, schema))
            yield from (f"{kind} parameter {name}: {error.message}" for error in checked)
        yield from self._body(call, operation, body)

    def _body(self, call: Call, operation: Mapping[str, Any], body: bytes) -> Iterator[str]:
        known, at = self._resolved(operation.get("requestBody"), f"{call.at}/requestBody")
        if not known or not body:
            if body not in (b"", b"{}"):
                yield "it takes no body"
            if known and known.get("required") and not body:
                yield "the body is missing"
            return
        if "application/json" not in known["content"]:
            return  # a file, as it is
        try:
            value = json.loads(body)
        except ValueError as error:
            yield f"the body is no JSON: {error}"
            return
        at = f"{at}/content/application~1json/schema"
        yield from self._invalid(OAS30WriteValidator, at, value)
        if isinstance(value, dict) and (names := self._names(self.at(at))):
            yield from (f"the body has no field {name}" for name in value.keys() - names)

    def _names(self, schema: Any) -> set[str]:
        """The fields that a schema knows; empty: it takes any. GitHub ignores what it does not know."""
        schema, _ = self._resolved(schema, "")
        if schema.get("additionalProperties"):
            return set()
        names = set(schema.get("properties", ()))
        for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
            names |= self._names(part)
        return names

    def _invalid(self, kind: type, at: str, value: Any) -> Iterator[str]:
        for error in self._validator(kind, {"$ref": f"{ROOT}#{at}"}).iter_errors(value):
            path = ".".join(map(str, error.absolute_path))
            yield f"{path or 'the body'}: {error.message[:300]}"

    def _validator(self, kind: type, schema: Mapping[str, Any]) -> Any:
        key = (kind, json.dumps(schema))
        if key not in self._validators:
            made = kind(schema, registry=self._registry, format_checker=oas30_format_checker)
            self._validators[key] = made
        return self._validators[key]

    def _parameters(self, operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for parameter in operation.get("parameters", ()):
            yield self._resolved(parameter, "")[0]

    def _read(self, value: str, schema: Mapping[str, Any]) -> Any:
        """A parameter's text as what its schema says that it is."""
        schema, _ = self._resolved(schema, "")
        kinds = {schema.get("type"), *(one.get("type") for one in schema.get("oneOf", ()))}
        if "integer" in kinds and re.fullmatch(r"-?\d+", value):
            return int(value)
        if "boolean" in kinds and value in ("true", "false"):
            return value == "true"
        return value

    def _resolved(self, part: Any, at: str) -> tuple[Any, str]:
        while isinstance(part, dict) and "$ref" in part:
            at = part["$ref"].removeprefix("#").removeprefix(ROOT)
            part = self.at(at)
        return part, at

    def at(self, pointer: str) -> Any:
        """What stands at a JSON pointer."""
        found: Any = self.content
        for name in pointer.split("/")[1:]:
            found = found[name.replace("~1", "/").replace("~0", "~")]
        return found


def _nullable(part: dict[str, Any]) -> dict[str, Any]:
    """GitHub says `nullable` of lists of words and of choices, too, and leaves the null out of them."""
    if part.get("nullable") is True:
        if "enum" in part and None not in part["enum"]:
            part["enum"].append(None)
        if "oneOf" in part:
            part["oneOf"].append({"type": "string", "nullable": True, "enum": [None]})
    return part


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


@cache
def github() -> Description:
    """GitHub's own: 13 MB, read once, in a quarter of a second.

    Raises:
        NoEmulator: It is not installed.
    """
    if not (HOME / DESCRIPTION).exists():
        raise NoEmulator("GitHub's description is not installed: make test does it")
    known = Description(HOME / DESCRIPTION)
    for pointer in TAKES_NULL:
        known.at(pointer)["nullable"] = True
    return known

"""The reference of the API, made from openapi.json: what pages show of it."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from sequence.web.amounts import power
from sequence.web.guides import line

Document = dict[str, Any]

EXAMPLES = {
    "/": [
        "/?sn=10",
        "/?sn=3&start=500&format=bfile",
        "/?sn=2&start=90&format=jsonl",
        "/?sn=5&mod=18446744069414584321&format=lines",
        "/?sn=2&start=100&format=sha256",
    ],
    "/terms/{n}": [
        "/terms/777",
        "/terms/100?format=json",
        "/terms/100?base=16",
        "/terms/1000000000000000000?first=30&last=30",
        "/terms/1000000000000000000?mod=1000000007",
    ],
    "/terms": ["/terms?value=10946&format=text", "/terms?contains=31415926&format=json"],
    "/openapi.json": ["/openapi.json"],
    "/livez": ["/livez"],
    "/readyz": ["/readyz"],
}
"""Requests to try, by the address that they are of."""

_SHORT_CHARS = 9
"""Whole numbers with more digits are written as powers, if they are."""


class Field(NamedTuple):
    """A parameter, or a member of an answer's JSON."""

    name: str
    where: str
    required: bool
    allowed: str
    words: SafeString


class Operation(NamedTuple):
    """An address, and what it answers."""

    id: str
    path: str
    summary: str
    parameters: list[Field]
    words: SafeString
    """What the answer is, if all goes well."""
    media_types: list[str]
    examples: list[str]


def operations(document: Document) -> list[Operation]:
    """Return all that can be asked for by GET; HEAD answers with the same headers."""
    return [
        _operation(document, path, of["get"], of.get("parameters", []))
        for path, of in document["paths"].items()
    ]


def statuses(document: Document) -> list[tuple[str, SafeString]]:
    """Return each status that an answer may have, with what it means wherever it is given."""
    found: dict[str, list[str]] = {}
    for _, response in _responses(document):
        for status, words in response.items():
            if status != "200" and words not in found.setdefault(status, []):
                found[status].append(words)
    return [(status, line(" ".join(words))) for status, words in sorted(found.items())]


def headers(document: Document) -> list[tuple[str, SafeString]]:
    """Return the headers of answers."""
    named = document["components"]["headers"]
    return [(name, line(header["description"])) for name, header in named.items()]


def objects(document: Document) -> list[tuple[str, list[Field]]]:
    """Return the members of each object that answers in JSON are."""
    return [
        (name, [_member(document, schema, *each) for each in schema["properties"].items()])
        for name, schema in document["components"]["schemas"].items()
        if "properties" in schema
    ]


def _operation(
    document: Document, path: str, get: Document, parameters: list[Document]
) -> Operation:
    answer = _resolved(document, get["responses"]["200"])
    return Operation(
        re.sub(r"\W+", "-", path).strip("-") or "root",
        path,
        get["summary"],
        [_parameter(document, each) for each in [*parameters, *get.get("parameters", [])]],
        line(answer["description"]),
        list(answer.get("content", {})),
        EXAMPLES.get(path, []),
    )


def _parameter(document: Document, given: Document) -> Field:
    found = _resolved(document, given)
    schema = _resolved(document, found["schema"])
    words = line(found.get("description", ""))
    return Field(found["name"], found["in"], found.get("required", False), _allowed(schema), words)


def _member(document: Document, parent: Document, name: str, given: Document) -> Field:
    schema = _resolved(document, given)
    required = name in parent.get("required", [])
    return Field(name, "", required, _allowed(schema), line(schema.get("description", "")))


def _responses(document: Document) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each path with the words for each of its statuses."""
    for path, of in document["paths"].items():
        found = of["get"]["responses"]
        yield path, {each: _resolved(document, found[each])["description"] for each in found}


def _resolved(document: Document, node: Document) -> Document:
    """Return what the node says, with what it refers to (OpenAPI 3.1.1, section 4.8.23)."""
    if "$ref" not in node:
        return node
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return _resolved(document, target) | {k: v for k, v in node.items() if k != "$ref"}


def _allowed(schema: Document) -> str:
    """Return in words what a value may be."""
    if "enum" in schema:
        allowed = ", ".join(map(str, schema["enum"]))
    elif "maximum" in schema:
        allowed = f"{_number(schema.get('minimum', 0))} to {_number(schema['maximum'])}"
    elif schema.get("pattern", "").startswith("^(0|[1-9]"):
        allowed = "decimal digits"
    else:
        kinds = schema.get("type", "any")
        allowed = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"{allowed}; {schema['default']} by default" if "default" in schema else allowed


def _number(number: int) -> str:
    """Return a number with commas, or as a power of ten or two if it is long and one."""
    for base in (10, 2):
        exponent = 0
        while base**exponent < number:
            exponent += 1
        if base**exponent == number and len(str(number)) > _SHORT_CHARS:
            return power(base, exponent)
    return f"{number:,}"

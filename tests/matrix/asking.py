"""How the matrix asks: every address with a village's ids in it, and what came back as text."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django import forms
from django.urls import URLPattern, URLResolver, get_resolver

from tests.machine import operations
from tests.matrix.samples import ALIASES
from zhili.common.ids import new_token, uuid7

ROOT = Path(__file__).resolve().parents[2]
_PIECE = re.compile(r"<(?:(\w+):)?(\w+)>|\{(\w+)\}|\(\?P<(\w+)>[^()]*(?:\([^()]*\)[^()]*)*\)")


NOWHERE = {"uuid": UUID("019b0000-0000-7000-8000-000000000000"), "int": 2_000_000_000, "slug": "x1"}


class Unknown(AssertionError):
    """A URL parameter without a sample."""


def routes() -> list[tuple[str, str]]:
    """(method, route) of every page; the API's operations carry their own methods."""
    pages = sorted({route for route in _routes(get_resolver()) if not route.startswith("^")})
    found = [(method, route) for route in pages for method in ("GET", "POST")]
    return found + [(method, "api/v1" + path) for method, path, _ in operations()]


def _routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if not route.startswith("api/"):
                yield from _routes(entry, route)
        elif isinstance(entry, URLPattern):
            yield route


def parameters(route: str) -> list[str]:
    return [next(name for name in hit.groups()[1:] if name) for hit in _PIECE.finditer(route)]


def value_of(name: str, ids: dict[str, Any], route: str = "") -> Any:
    """A village's value for a URL parameter. Raises Unknown where nothing says what it is."""
    if name == "place" and "[0-9]{9}" in route:
        return ids["place"][:9]
    bare = name.removesuffix("_id").removesuffix("_pk")
    for key in (name, bare, ALIASES.get(bare, "")):
        if key in ids:
            return ids[key]
    # `sheet_id` is the one model whose name ends so: ConsentSheet.
    ending = [key for key in ids if len(bare) > 3 and key.endswith(bare)]
    if len(ending) == 1:
        return ids[ending[0]]
    raise Unknown(
        f"URL parameter <{name}> of {route} is of no kind the matrix knows: add it to PARAMETERS in tests/matrix/samples.py"
    )


def value_or_nowhere(name: str, ids: dict[str, Any], route: str) -> Any:
    """value_of, or something of the right kind that is nowhere: what has no sample fails one test, not all of them."""
    try:
        return value_of(name, ids, route)
    except Unknown:
        kind = next((hit[1] for hit in _PIECE.finditer(route) if name in hit.groups()[1:]), "")
        return NOWHERE.get(kind or "", "x1")


def without_sample(ids: dict[str, Any]) -> list[str]:
    """Why each URL parameter without a sample is a failure."""
    found = []
    for _, route in routes():
        for name in parameters(route):
            try:
                value_of(name, ids, route)
            except Unknown as unknown:
                found.append(str(unknown))
    return sorted(set(found))


def address(route: str, ids: dict[str, Any], changed: dict[str, Any] | None = None) -> str:
    """The concrete path of a route with a village's ids; `changed` overrides some."""

    def put(hit: re.Match[str]) -> str:
        name = next(one for one in hit.groups()[1:] if one)
        value = value_or_nowhere(name, ids, route)
        if changed and name in changed:
            value = changed[name]
        return str(value)

    return "/" + _PIECE.sub(put, route).replace("^", "").replace("$", "")


def absent(value: Any) -> Any:
    """The same kind of thing, which is nowhere."""
    if isinstance(value, UUID):
        return uuid7()
    if isinstance(value, int):
        return 2_000_000_000
    text = str(value)
    if text.isdigit() and len(text) in (9, 12):
        return text[:-3] + "999"
    return new_token()[: len(text)].ljust(len(text), "x")


@cache
def asked_names() -> dict[str, tuple[str, ...]]:
    """Every name our code reads from a query or a body, and every field of our forms. {"GET": …, "POST": …}."""
    found: dict[str, set[str]] = {"GET": {"place", "export"}, "POST": {"place"}}
    for path in sorted((ROOT / "zhili").rglob("*.py")):
        if "/tests/" in str(path) or "/migrations/" in str(path):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = _asked(node)
            if name:
                found[name[0]].add(name[1])
    kinds = list(forms.BaseForm.__subclasses__())
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("zhili."):
            found["POST"] |= set(getattr(kind, "base_fields", {}))
            found["GET"] |= set(getattr(kind, "base_fields", {}))
    return {method: tuple(sorted(names)) for method, names in found.items()}


def _asked(node: ast.AST) -> tuple[str, str] | None:
    """request.GET.get("x"), request.POST["x"], .getlist("x") → (method, x)."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        owner, first = node.func.value, node.args[0]
    elif isinstance(node, ast.Subscript):
        owner, first = node.value, node.slice
    else:
        return None
    if not (isinstance(owner, ast.Attribute) and owner.attr in ("GET", "POST")):
        return None
    return (
        (owner.attr, first.value)
        if isinstance(first, ast.Constant) and isinstance(first.value, str)
        else None
    )


def values_for(names: tuple[str, ...], ids: dict[str, Any]) -> dict[str, str]:
    """Each name with the village's own value; a name of no known kind gets the village's words to search by."""
    found = {}
    for name in names:
        try:
            found[name] = str(value_of(name, ids))
        except Unknown:
            found[name] = "乔"
    return found


def said(answer: Any) -> str:
    """Everything an answer says, as text: HTML, JSON, the parts of a zip or a sheet, a PDF's text and data, headers."""
    data = b"".join(answer.streaming_content) if getattr(answer, "streaming", False) else answer.content
    head = unquote(" ".join(f"{name}: {value}" for name, value in answer.items()))
    return head + "\n" + _text(data)


def _text(data: bytes) -> str:
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as pack:
            return "\n".join(name + "\n" + _text(pack.read(name)) for name in pack.namelist())
    if data.startswith(b"%PDF"):
        return _pdf_text(data)
    if data.startswith((b"\x89PNG", b"\xff\xd8")):
        return data.decode("latin-1")
    text = data.decode("utf-8", "replace")
    if text.startswith(("{", "[")) and "\\u" in text:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    return unquote(text) if "%" in text else text


@lru_cache(maxsize=256)
def _pdf_text(data: bytes) -> str:
    """Slow to read, and one paper comes to many roles byte by byte the same."""
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    return "\n".join([str(dict(reader.metadata or {})), *(page.extract_text() for page in reader.pages)])


_CHANGING = (
    (re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"'), "CSRF"),
    (re.compile(r"csrftoken=\w+|csrfmiddlewaretoken=\w+"), "CSRF"),
    (re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}(?:-[0-9A-Z]{4})?"), "RECEIPT"),
)


def shape(answer: Any, *ids: Any) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Status, body and headers with what differs by nature taken out: the receipt, the form's token, the ids asked for."""

    def plain(text: str) -> str:
        for value in ids:
            short = len(str(value)) < 12  # a number such as 3 stands in many places that are not the address
            text = text.replace(f"/{value}/", "/ID/") if short else text.replace(str(value), "ID")
        for pattern, word in _CHANGING:
            text = pattern.sub(word, text)
        return text

    kept = sorted(
        (name, plain(unquote(str(value)))) for name, value in answer.items() if name != "Content-Length"
    )
    return answer.status_code, plain(_text(answer.content)), tuple(kept)

"""docs/coverage.md: what of the Claude API is served, made of the same comparison that the tests make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from typing_extensions import get_type_hints

from surface import official, ours, reviewed
from surface.asking import all_parts
from surface.compare import Gap
from surface.official import Sdk
from surface.reviewed import Row
from understudy.wire.gates import Beta, Until, unwrap
from understudy.wire.requests.params import MessageCountTokensParams, MessageCreateParams
from understudy.wire.versions import BETAS, VERSIONS

_EFFECTS = {
    "request": "opens in requests",
    "answer": "is about answers and limits",
    "generally_available": "does nothing any more, as all have it",
    "old_shapes": "is about earlier shapes",
    "resource": "is about routes",
    "accepted": "is accepted",
}


def coverage() -> str:
    """The page."""
    sdk, rows = official.describe(), reviewed.read()
    parts = [_introduction(sdk), _routes(sdk, rows), _fields(), _stream(sdk, rows), _betas(sdk), _differences(rows)]
    return "".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _introduction(sdk: Sdk) -> str:
    built = set(ours.routes())
    theirs = {(method.verb, ours.template(method.path)) for method in sdk.methods}
    versions = " and ".join(f"`{version}`" for version in VERSIONS)
    return f"""# Coverage

<!-- Made by `make docs` from surface/; do not edit. -->

What of the Claude API is served, compared with the types and routes of the official Python SDK {sdk.version}:
{len(theirs & built)} of {len(theirs)} routes, in the API versions {versions}. A test makes the same comparison and
names every route, field, value, type and beta that is in the SDK, not here, and not on the reviewed list
(`surface/reviewed.toml`), which this page shows. `make surface` compares with the newest SDK.
"""


def _explained(gap: Gap, rows: list[Row]) -> str:
    row = reviewed.row_of(gap, rows)
    if row is None:
        return "not reviewed"
    return f"comes with *{row.brought_by}*" if row.brought_by else row.reason


def _routes(sdk: Sdk, rows: list[Row]) -> str:
    built = set(ours.routes())
    methods_of: dict[str, dict[str, str]] = defaultdict(dict)
    for method in sdk.methods:
        known = (method.verb, ours.template(method.path)) in built
        gap = Gap("route", f"{method.verb} {method.path}")
        methods_of[method.path][method.verb] = "served" if known else _explained(gap, rows)
    lines: list[tuple[str, str, str]] = []
    for path, methods in methods_of.items():
        by_state: dict[str, list[str]] = defaultdict(list)
        for verb, state in methods.items():
            by_state[state].append(verb)
        for state, verbs in by_state.items():
            lines.append((path, ", ".join(sorted(verbs)), state))
    lines.sort(key=lambda line: (line[2] != "served", line[0]))
    paths = {ours.template(path) for path in methods_of}
    beyond = [f"`{verb} {path}`" for verb, path in sorted(built) if path not in paths]
    text = "\n## Routes\n\nWhat is not served answers 404 with the API's own error object (`not_found_error`).\n\n"
    text += _table(
        ("route", "methods", "today"),
        ((f"`{path}`", verbs, state if state == "served" else f"404; {state}") for path, verbs, state in lines),
    )
    return text + f"\nServed beyond the SDK's routes: {', '.join(beyond)}.\n"


def _opened(annotation: Any) -> str:
    told: list[str] = []
    for marker in unwrap(annotation).markers:
        if isinstance(marker, Beta):
            told.append("with " + " or ".join(f"`{name}`" for name in marker.names))
        elif isinstance(marker, Until):
            told.append(f"in versions before `{marker.version}`")
    return ", ".join(told) or "always"


def _fields() -> str:
    create = get_type_hints(MessageCreateParams, include_extras=True)
    count = get_type_hints(MessageCountTokensParams, include_extras=True)
    rows = (
        (f"`{name}`", "required" if unwrap(hint).required else "taken", "taken" if name in count else "", _opened(hint))
        for name, hint in create.items()
    )
    text = "\n## Fields of a Messages request\n\n"
    text += "Each is checked with everything in it. One that is not open is refused in the API's own words.\n\n"
    return text + _table(("field", "`/v1/messages`", "`/v1/messages/count_tokens`", "open"), rows)


def _stream(sdk: Sdk, rows: list[Row]) -> str:
    text = "\n## What answers are made of\n\n"
    text += "All of these are typed and compared. Those that are sent were seen in answers of a running server.\n\n"
    stable = set(_stable_blocks(sdk))
    lines: list[tuple[str, str, str]] = []
    for part in all_parts(sdk):
        kind, name = part.split(" ")
        row = reviewed.row_of(Gap("unsent", part), rows)
        beta = " (beta)" if kind == "block" and name not in stable else ""
        today = "sent" if row is None else f"comes with *{row.brought_by}*" if row.brought_by else row.reason
        lines.append((kind, f"`{name}`{beta}", today))
    return text + _table(("part", "type", "today"), lines)


def _stable_blocks(sdk: Sdk) -> list[str]:
    blocks = sdk.objects["RawContentBlockStartEvent"]["content_block"]["shape"]
    names = [member["object"] for member in blocks["union"]]
    return [sdk.objects[name]["type"]["shape"]["value"] for name in names]


def _betas(sdk: Sdk) -> str:
    rows = (
        (f"`{beta.name}`", "yes" if beta.name in sdk.betas else "", f"{_EFFECTS[beta.effect]}: {beta.subject}")
        for beta in BETAS.values()
    )
    text = "\n## Betas\n\nValues of the `anthropic-beta` header. These are accepted; what one is about works where the "
    text += "tables above say that it is served. Any other is refused, except from Claude Code.\n\n"
    return text + _table(("beta", "in the SDK", "what it does"), rows)


def _differences(rows: list[Row]) -> str:
    text = "\n## Other reviewed differences\n\n"
    lines = (
        (row.kind, ", ".join(f"`{name}`" for name in row.names), row.reason or f"comes with *{row.brought_by}*")
        for row in rows
        if row.kind not in {"route", "unsent"}
    )
    return text + _table(("kind", "names", "why"), lines)

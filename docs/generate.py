"""Writes the pages of docs/ that are made from the code. A test fails when they are not up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from surface.page import coverage
from understudy.settings import (
    CONFIG_VARIABLE,
    EngineSettings,
    MappedModelSettings,
    Room,
    TargetSettings,
    room_classes,
    variable_name,
)

DOCS = Path(__file__).parent

_INTRODUCTION = f"""# Configuration

<!-- Made by `make docs` from src/understudy/settings/; do not edit. -->

Every setting has a default. A value is taken from, strongest first:

1. the command line (`understudy serve --port 9000`),
2. a variable `UNDERSTUDY_<ROOM>_<SETTING>` (`UNDERSTUDY_SERVER_PORT=9000`),
3. a TOML file, named by `--config FILE` or `{CONFIG_VARIABLE}`, with a section for each room:

   ```toml
   [server]
   port = 9000
   ```

4. the default.

Names that are not settings are refused, in the file and in the environment alike: a misspelt setting never goes
unnoticed. Lists in variables are separated by commas.
"""


def _type(annotation: Any) -> str:
    if get_origin(annotation) is not None and str(get_origin(annotation)) == "typing.Literal":
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    members = [member for member in get_args(annotation) if member is not type(None)]
    if members and get_origin(annotation) is not list:
        return _type(members[0])
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`", "Path": "path"}
    if get_origin(annotation) is list:
        return "list of " + names.get(members[0].__name__, members[0].__name__)
    return names.get(annotation.__name__, "text" if annotation.__name__ == "SecretStr" else annotation.__name__)


def _default(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "`~/.local/share/understudy`"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if value == []:
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


_ENGINES = """
## Engines and the model map

These stand in the file only. `[engines.<name>]` describes an upstream, `[[models.map]]` says which names it answers
for: [Engines](engines.md) shows both by example.
"""

_IN_FILE = {"[engines.<name>]": EngineSettings, "[[models.map]]": MappedModelSettings, "targets": TargetSettings}


def _rows(settings: type[Room]) -> Iterator[str]:
    yield "| setting | value | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in settings.model_fields.items():
        default = "needed" if field.is_required() else _default(name, field)
        yield f"| `{name}` | {_type(field.annotation)} | {default} | {field.description or ''} |"


def configuration() -> str:
    """The page about settings."""
    parts = [_INTRODUCTION]
    for room, settings in room_classes().items():
        parts.append(f"\n## `[{room}]`\n\n{(settings.__doc__ or '').strip()}\n")
        parts.append("| setting | variable | value | default | meaning |\n| --- | --- | --- | --- | --- |")
        for name, field in settings.model_fields.items():
            row = (
                f"`{name}`",
                f"`{variable_name(room, name)}`",
                _type(field.annotation),
                _default(name, field),
                field.description or "",
            )
            parts.append("| " + " | ".join(row) + " |")
    parts.append(_ENGINES)
    for name, settings in _IN_FILE.items():
        parts += [f"### `{name}`\n", *_rows(settings), ""]
    return "\n".join(parts).rstrip() + "\n"


PAGES = {"configuration.md": configuration, "coverage.md": coverage}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()

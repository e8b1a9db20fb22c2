"""What a request asks to be done with code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from understudy.engines.simulator.arithmetic import work_out
from understudy.engines.simulator.programs import written
from understudy.engines.simulator.programs.rows import numbers_in, pairs_in, rows_in

Kind: TypeAlias = Literal["sum", "numbers", "csv", "spreadsheet", "chart", "file", "command", "python", "skill", "look"]


@dataclass(frozen=True, slots=True)
class Task:
    """`text` is the program, or the command. `skill` is read first, where one is named."""

    kind: Kind
    text: str
    skill: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """To be done with the text editor."""

    path: str
    text: str | None
    view: bool


_FENCED: Final = re.compile(r"```(\w*)[ \t]*\n(.*?)```", re.DOTALL)
_QUOTED: Final = re.compile(
    r"\b(?:run|runs|execute|exec|command|running)\b[^`\n]{0,60}`([^`\n]{1,2000})`", re.IGNORECASE
)
_EXPLICIT: Final = re.compile(
    r"\bcode[ _]execution\b|\b(?:run|execute|write and run|use)\b[^.\n]{0,40}\b(?:code|python|bash|script|program|"
    r"shell|container|sandbox)\b|\bpython\b|コード実行|コードを実行",
    re.IGNORECASE,
)
_SPREADSHEET: Final = re.compile(r"\b(?:xlsx|excel|spreadsheet|workbook)\b|エクセル|スプレッドシート", re.IGNORECASE)
_CHART: Final = re.compile(r"\b(?:chart|plot|graph|histogram|visuali[sz]ation|diagram|png)\b|グラフ", re.IGNORECASE)
_MAKES: Final = re.compile(
    r"\b(?:make|create|write|draw|build|produce|generate|plot|chart|graph|save|put|give|export|prepare)\b|作|描",
    re.IGNORECASE,
)
_LINE: Final = re.compile(r"\bline\b|\bover time\b|\bcurve\b", re.IGNORECASE)
_STATISTICS: Final = re.compile(
    r"\b(?:mean|average|median|standard deviation|variance|sum|total|maximum|minimum|statistics)\b", re.IGNORECASE
)
_NAMED: Final = re.compile(r"[\w-]{1,80}\.(?:xlsx|png|csv|txt|md|json|html)\b")
_EDITOR: Final = re.compile(r"\btext editor\b|\btext_editor\b", re.IGNORECASE)
_CREATE: Final = re.compile(
    r"\b(?:create|write)\b[^/\n]{0,60}?(/[\w./-]{1,200}[\w-])\W{0,3}\s*(?:with|containing|saying)[^:\"'\n]{0,40}"
    r"(?::\s*|[\"'])(.{1,2000}?)(?:[\"']|\.?\s+Then\b|\.?\s*$)",
    re.IGNORECASE | re.MULTILINE,
)
_VIEW: Final = re.compile(r"\b(?:view|show|read|open|display)\b", re.IGNORECASE)
_PATH: Final = re.compile(r"(?<![\w/])/[\w./-]{1,200}[\w-]")
_CONTAINING: Final = re.compile(
    r"\b(?:with|containing|saying|that says|says)\b[^:\"'\n]{0,40}(?::\s*|[\"'])(.{1,2000}?)(?:[\"']|\.?\s*$)",
    re.IGNORECASE | re.MULTILINE,
)


def uploads_of(messages: list[dict[str, Any]]) -> list[str]:
    """Paths of the files that were put into the container, in order."""
    return [
        block["path"]
        for message in messages
        if isinstance(message.get("content"), list)
        for block in cast("list[dict[str, Any]]", message["content"])
        if block["type"] == "container_upload" and "path" in block
    ]


def named_skill(asked: str, skills: list[str]) -> str | None:
    """The skill that the request speaks of."""
    for name in skills:
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", asked, re.IGNORECASE):
            return name
    return None


def edit_in(asked: str) -> Edit | None:
    """What is to be done with the text editor, where it is named."""
    if not _EDITOR.search(asked):
        return None
    created = _CREATE.search(asked)
    if created is not None:
        return Edit(created[1], created[2], view=bool(_VIEW.search(asked[created.end() - 6 :])))
    path = _PATH.search(asked)
    return None if path is None else Edit(path[0], None, view=True)


def task_in(asked: str, uploads: list[str], skills: list[str], *, must: bool) -> Task | None:
    """What is to be run; None where nothing is asked that code is needed for. `must`: something has to be."""
    skill = named_skill(asked, skills)
    task = _task(asked, uploads)
    if skill is not None:
        return Task("skill", "", skill) if task is None else Task(task.kind, task.text, skill)
    if task is None and (must or _EXPLICIT.search(asked)):
        return Task("look", written.look_around())
    return task


def _task(asked: str, uploads: list[str]) -> Task | None:
    for language, text in _FENCED.findall(asked):
        if language.lower() in {"python", "py", "python3"}:
            return Task("python", text)
        if language.lower() in {"bash", "sh", "shell", "console"}:
            return Task("command", text.strip())
    quoted = _QUOTED.search(asked)
    if quoted is not None:
        return Task("command", quoted[1])
    named = _NAMED.search(asked)
    if _SPREADSHEET.search(asked) and _MAKES.search(asked):
        rows = rows_in(asked) or [list(pair) for pair in pairs_in(asked)] or [["Item", "Value"]]
        return Task("spreadsheet", written.spreadsheet(rows, _name(named, ".xlsx", "table.xlsx")))
    if _CHART.search(asked) and _MAKES.search(asked):
        return Task("chart", _chart(asked, named))
    csv = next((path for path in uploads if path.lower().endswith(".csv")), None)
    if csv is not None:
        return Task("csv", written.csv_summary(csv))
    numbers = numbers_in(asked)
    if numbers and _STATISTICS.search(asked):
        return Task("numbers", written.statistics_of(numbers))
    # Only a sum that is asked for: a date or a version in a longer text is none.
    found = work_out(asked)
    if found is not None:
        return Task("sum", written.printing(found[0]))
    if named is not None and _MAKES.search(asked):
        said = _CONTAINING.search(asked)
        return Task("file", written.text_file(said[1] if said else asked, named[0]))
    return None


def _chart(asked: str, named: re.Match[str] | None) -> str:
    pairs = pairs_in(asked)
    numbers = [number for _, number in pairs] or numbers_in(asked) or [1, 4, 9, 16, 25]
    labels = [label for label, _ in pairs] or [str(place) for place in range(1, len(numbers) + 1)]
    return written.chart(labels, numbers, "plot" if _LINE.search(asked) else "bar", _name(named, ".png", "chart.png"))


def _name(named: re.Match[str] | None, extension: str, otherwise: str) -> str:
    return named[0] if named is not None and named[0].endswith(extension) else otherwise

"""The next call of a server function, or what is said once all is done."""

from __future__ import annotations

import re
import shlex
from typing import Any, Final, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Call, Part, Text
from understudy.engines.simulator.programs.done import Done, done_since
from understudy.engines.simulator.programs.tasks import Edit, Task, edit_in, task_in, uploads_of
from understudy.engines.simulator.reading import texts_of
from understudy.wire.server_tools import SERVER

# Characters of a request that are looked at.
_LONGEST: Final = 20_000

_BASH: Final = "bash_code_execution"
_EDITOR: Final = "text_editor_code_execution"
_PYTHON: Final = "code_execution"

# As tools/code_execution/skills.py tells of them.
_SKILL: Final = re.compile(r"^- ([a-z0-9-]{1,64}): .*\(instructions: (/[^\s()]+)\)$", re.MULTILINE)
_SKILL_COMMAND: Final = re.compile(
    r"```(?:bash|sh|shell)[ \t]*\n(.*?)```|`((?:python3?|bash|sh|node) [^`\n]+)`", re.DOTALL
)


def next_part(turn: EngineTurn, conversation: Conversation) -> Part | None:
    """A call of the code execution tool where one helps, the report of what it brought, or None where none is asked
    for."""
    names = {function.name for function in turn.server_functions}
    if _BASH not in names and _PYTHON not in names:
        return None
    choice = cast("dict[str, Any]", turn.request.get("tool_choice") or {"type": "auto"})
    if choice["type"] == "none" or (choice["type"] == "tool" and choice["name"] not in {_PYTHON, *names}):
        return None
    must = choice["type"] == "tool" or (choice["type"] == "any" and not _has_client_tools(turn))
    messages = cast("list[dict[str, Any]]", turn.request["messages"])
    done = done_since(messages, conversation.start)
    asked = conversation.asked[:_LONGEST]
    edit = edit_in(asked) if _EDITOR in names else None
    if edit is not None:
        return _editing(edit, done)
    skills = dict(_SKILL.findall(" ".join(texts_of(turn.request.get("system")))))
    task = task_in(asked, uploads_of(messages), list(skills), must=must)
    if task is None:
        return None
    return _running(task, done, skills, python_only=_BASH not in names)


def _has_client_tools(turn: EngineTurn) -> bool:
    served = {function.tool for function in turn.server_functions}
    return any(tool.get("type") not in served for tool in cast("list[dict[str, Any]]", turn.request["tools"]))


def _editing(edit: Edit, done: list[Done]) -> Part:
    if done and done[-1].failed:
        return Text(f"That did not work: {done[-1].said}")
    steps: list[dict[str, Any]] = []
    if edit.text is not None:
        steps.append({"command": "create", "path": edit.path, "file_text": edit.text})
    if edit.view:
        steps.append({"command": "view", "path": edit.path})
    if len(done) < len(steps):
        return Call(_EDITOR, steps[len(done)], SERVER)
    if edit.view:
        return Text(f"`{edit.path}` contains:\n\n{done[-1].said}")
    return Text(f"I wrote `{edit.path}`.")


def _running(task: Task, done: list[Done], skills: dict[str, str], *, python_only: bool) -> Part:
    if done and done[-1].failed:
        return Text(f"That did not work: {done[-1].said}")
    before = 0
    if task.skill is not None:
        before = 1
        if not done:
            return _call(f"cat {shlex.quote(skills[task.skill])}", python_only=python_only, command=True)
        if task.kind == "skill":
            task = _task_of_skill(task.skill, skills[task.skill], done[0].said)
    if len(done) > before:
        return Text(_report(task, done[-1]))
    return _call(task.text, python_only=python_only, command=task.kind in {"command", "skill"})


def _task_of_skill(name: str, path: str, instructions: str) -> Task:
    """The first command that the instructions name, run where the skill is."""
    found = _SKILL_COMMAND.search(instructions)
    folder = path.rpartition("/")[0]
    command = (found[1] or found[2]).strip() if found else "ls -l"
    return Task("skill", f"cd {shlex.quote(folder)} && {command}", name)


def _call(text: str, *, python_only: bool, command: bool) -> Call:
    if python_only:
        if command:
            text = f"import subprocess, sys\n\nsys.exit(subprocess.run({text!r}, shell=True).returncode)"
        return Call(_PYTHON, {"code": text}, SERVER)
    if command:
        return Call(_BASH, {"command": text}, SERVER)
    return Call(_BASH, {"command": f"python3 - <<'PROGRAM'\n{text.rstrip()}\nPROGRAM"}, SERVER)


def _report(task: Task, last: Done) -> str:
    if not last.said:
        said = "It ran and printed nothing."
    elif task.kind == "sum":
        said = f"The result is **{last.said}**."
    elif "\n" in last.said:
        said = f"Here is the result:\n\n```\n{last.said}\n```"
    else:
        said = f"Here is the result: {last.said}"
    if last.files:
        said += f"\n\nI made {'a file' if last.files == 1 else f'{last.files} files'} for you to download."
    return said

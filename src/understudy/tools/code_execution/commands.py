"""Commands and programs in a container, and their results."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from understudy.sandbox.interface import INPUT_DIR, OUTPUTS, Executed, PathError, QuotaError, Sandbox
from understudy.tools.code_execution.functions import BASH, PYTHON
from understudy.tools.code_execution.outputs import Kept, OutputTooLargeError
from understudy.tools.protocol import ToolCall, ToolResult
from understudy.wire.server_tools import RESULT_OF

# Where a program and a long command stand (recorded: /tmp/<id>/cell.py).
_PLACE: Final = "/tmp/{}/{}"  # noqa: S108 -- in the container
# Bytes of one argument of a command (Linux: 128 KiB with its end).
_LONGEST_ARGUMENT: Final = 100_000
_MAKE_OUTPUT_DIR: Final = 'mkdir -p -- "$OUTPUT_DIR" && exec "$0" "$@"'

KeepOutputs = Callable[[Sandbox, str], Awaitable[Kept]]


@dataclass(frozen=True, slots=True)
class Form:
    """What calls of one name are called in their results."""

    input: str
    result: str
    output: str
    strips_end: bool
    more: dict[str, Any]


_FORMS: Final = {
    BASH: Form("command", "bash_code_execution_result", "bash_code_execution_output", False, {}),
    # Recorded of 20250522: no line break at the end, and a reason that was always null.
    PYTHON: Form("code", "code_execution_result", "code_execution_output", True, {"abort_reason": None}),
}
CELL: Final = replace(_FORMS[PYTHON], strips_end=False)
"""Of code that may call tools (recorded 2026-03 to 2026-05)."""


def command_error(name: str, code: str) -> ToolResult:
    kind = RESULT_OF[name]
    return ToolResult(kind, {"type": f"{kind}_error", "error_code": code})


async def execute(sandbox: Sandbox, call: ToolCall, seconds: float, most: int, keep: KeepOutputs) -> ToolResult:
    """Run a call of bash or Python for `seconds` at most. `most`: characters of output; `keep` stores what it left in
    the directory that is given. What goes wrong is in the result."""
    form = _FORMS[call.name]
    text = call.input.get(form.input)
    if not isinstance(text, str) or "\0" in text:
        return command_error(call.name, "invalid_tool_input")
    directory = f"{OUTPUTS}/{call.id}"
    try:
        argv = await _argv(sandbox, call, text)
    except (PathError, QuotaError):
        return command_error(call.name, "unavailable")
    executed = await sandbox.exec(argv, timeout=seconds, environment={"OUTPUT_DIR": directory, "INPUT_DIR": INPUT_DIR})
    if executed.timed_out:
        return command_error(call.name, "execution_time_exceeded")
    return await as_result(sandbox, call, executed, directory, most, keep, _FORMS[call.name])


async def as_result(
    sandbox: Sandbox, call: ToolCall, executed: Executed, directory: str, most: int, keep: KeepOutputs, form: Form
) -> ToolResult:
    """How what was run has ended, with the files that it left in `directory`."""
    too_large = executed.truncated or len(executed.stdout) + len(executed.stderr) > most
    if too_large and call.name == BASH:
        # "Command output exceeded the maximum size".
        return command_error(call.name, "output_file_too_large")
    try:
        kept = await keep(sandbox, directory)
    except OutputTooLargeError:
        return command_error(call.name, "output_file_too_large" if call.name == BASH else "unavailable")
    stdout, stderr = executed.stdout, executed.stderr
    remarks = list(kept.remarks)
    if too_large:
        stdout, stderr = stdout[: most // 2], stderr[: most // 2]
        remarks.append("The output was too long and was cut.")
    if executed.out_of_memory:
        remarks.append("The container's memory was used up.")
    if executed.out_of_disk:
        remarks.append("The container's disk is full.")
    if remarks:
        stderr = "\n".join([*([stderr.rstrip("\n")] if stderr else []), *remarks]) + "\n"
    return ToolResult(
        RESULT_OF[call.name],
        {
            "type": form.result,
            "stdout": stdout.removesuffix("\n") if form.strips_end else stdout,
            "stderr": stderr,
            "return_code": executed.return_code,
            "content": [{"type": form.output, "file_id": file_id} for file_id in kept.file_ids],
            **form.more,
        },
    )


async def _argv(sandbox: Sandbox, call: ToolCall, text: str) -> Sequence[str]:
    data = text.encode("utf-8", "replace")
    make = ["bash", "-c", _MAKE_OUTPUT_DIR]
    if call.name == PYTHON:
        path = _PLACE.format(call.id, "cell.py")
        await sandbox.put(path, data)
        return [*make, "python3", path]
    if len(data) <= _LONGEST_ARGUMENT:
        return [*make, "bash", "-c", data.decode()]
    path = _PLACE.format(call.id, "command.sh")
    await sandbox.put(path, data)
    return [*make, "bash", path]

"""The texts of a request that no model is shown, and what each does instead.

Whatever else a client writes reaches the model, or the request is refused. tests/invariants/test_canary.py holds the
request types against this table, in both directions, so that no field is dropped without a row here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final


@dataclass(frozen=True)
class NotPrompted:
    """A kind of text that is not in the prompt.

    `path` is written as in the API's errors, with tags; `*` stands for one part, also for an index and for a key of the
    client's own (`{key}`), `**` for any number of parts. `when`: the one situation in which it is left out; always
    where it is empty.
    """

    path: str
    instead: str
    when: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = (r"(?:[^.]+\.)*" if part == "**" else rf"{_part(part)}\." for part in self.path.split("."))
        return re.compile("".join(parts))

    def matches(self, path: str) -> bool:
        return self._pattern.fullmatch(path + ".") is not None


def _part(part: str) -> str:
    return r"[^.]+" if part == "*" else re.escape(part)


COMPACTED: Final = "it stands before a compaction block that has a summary"
DEFERRED: Final = "the tool has defer_loading and nothing in the conversation has referred to it"
EARLIER_TURN: Final = "it is of an earlier turn and the model keeps the thinking of the last turn alone"
CLEARED: Final = "an edit of context_management cleared it"

NOT_PROMPTED: Final[tuple[NotPrompted, ...]] = (
    # What steers the service.
    NotPrompted("model", "Names the model that answers."),
    NotPrompted("metadata.user_id", "Says for whom the client asks. Nothing is done with it here."),
    NotPrompted("user_profile_id", "Says on whose behalf the client asks. Nothing is done with it here."),
    NotPrompted("stop_sequences.*", "Ends the answer where it comes up, and then stands in `stop_sequence`."),
    NotPrompted("fallback_credit_token.**", "Says how the prompt is billed."),
    NotPrompted(
        "fallbacks.**", "Says who answers where the model declines; that model is asked what the request says."
    ),
    NotPrompted("inference_geo", "Names where the model may run, and is repeated in `usage`."),
    NotPrompted("diagnostics.previous_message_id", "Names the answer with whose prompt the cache compares this one."),
    NotPrompted("tool_choice.tool.name", "Names the tool that is called. One that is not in `tools` is refused."),
    NotPrompted(
        "context_management.edits.*.clear_tool_uses_20250919.exclude_tools.*", "Names a tool whose results stay."
    ),
    NotPrompted(
        "context_management.edits.*.clear_tool_uses_20250919.clear_tool_inputs.*",
        "Names a tool whose inputs are cleared along with its results.",
    ),
    NotPrompted(
        "context_management.edits.*.compact_20260112.instructions",
        "Stands in the prompt of the summary, once one is due.",
    ),
    NotPrompted("compaction.instructions", "Stands in the prompt of the summary, as its last message."),
    # [guess] Nothing is published about this field; by its content it is not meant for the model that answers.
    NotPrompted("safeguards.*.*", "Speaks to a classifier beside the model. There is none here."),
    NotPrompted("**.advisor_20260301.model", "Names the model that gives the advice."),
    NotPrompted("**.mcp_toolset.configs.*", "Names the tool of the server that the settings under it are for."),
    # Ids, and what only the service or the client has a use for.
    NotPrompted("messages.*.content.*.*.id", "Ties a call to its result."),
    NotPrompted("**.tool_use_id", "Ties a result to its call. Without one the request is refused."),
    NotPrompted("**.caller.*.tool_id", "Names the call of code execution whose program made this call."),
    NotPrompted("**.content.*.file_id", "Names a file that a program wrote, for the client to download."),
    NotPrompted("messages.*.content.*.*.signature", "Shows the service that it wrote the block itself."),
    NotPrompted("messages.*.content.*.redacted_thinking.data", "Is thinking, sealed: it goes back to who sealed it."),
    NotPrompted("**.encrypted_content", "Is sealed, and of use to the service that sealed it alone."),
    NotPrompted("**.encrypted_stdout", "Is sealed, and of use to the service that sealed it alone."),
    NotPrompted("**.retrieved_at", "Tells the client when a page was fetched."),
    # [guess] It has only been seen as null.
    NotPrompted("**.abort_reason", "Tells the client why a program was stopped."),
    NotPrompted(
        "messages.*.content.*.advisor_tool_result.content.*.stop_reason", "Tells the client how the advice ended."
    ),
    NotPrompted("messages.*.content.*.fallback.**", "Tells the client which model took over, and why."),
    # citations.md: what is cited "does not count towards" input tokens when it comes back. The source itself is read.
    NotPrompted("**.citations.**", "Tells the client where an earlier answer, or a text, was taken from."),
    # Where the bytes of something else come from.
    NotPrompted("**.source.base64.data", "Is an image, or a PDF whose pages are read."),
    NotPrompted("**.source.url.url", "Says where an image or a PDF is fetched, which is then read."),
    NotPrompted("**.source.file.file_id", "Names a stored file, which is read. An unknown one is refused."),
    # What is left out in one situation only.
    NotPrompted("messages.**", "The summary is read in its place (compaction.md).", COMPACTED),
    NotPrompted("tools.**", "A tool search goes through it (tool-search-tool.md).", DEFERRED),
    NotPrompted(
        "messages.*.content.*.thinking.thinking", "Its signature is checked all the same (thinking.md).", EARLIER_TURN
    ),
    NotPrompted(
        "messages.**", "The answer's `context_management.applied_edits` counts it (context-editing.md).", CLEARED
    ),
)

"""Asking an advisor, taking what it says, and being one."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias, cast

from understudy.engines.simulator.arithmetic import work_out
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Call
from understudy.wire.server_tools import SERVER

_Block: TypeAlias = dict[str, Any]

_NAME: Final = "advisor"
_ASKS: Final = re.compile(
    r"\b(?:consult|ask|call|use|check with|talk to|run (?:it|this|that) (?:by|past))\b[^.!?\n]{0,40}\badvisors?\b|"
    r"\bsecond opinion\b|\badvisor'?s (?:advice|opinion|view)\b|"
    r"\b(?:review|check|criti(?:que|ci[sz]e))\b[^.!?\n]{0,40}\b(?:plan|approach|design|strategy)\b|"
    r"セカンドオピニオン|アドバイザー",
    re.IGNORECASE,
)
_FORBIDS: Final = re.compile(
    r"\b(?:do not|don't|without|no need to)\b[^.!?\n]{0,30}\b(?:advisor|second opinion)", re.IGNORECASE
)

# Of a conversation that is shown to an advisor (wire/advising).
_HEAD: Final = re.compile(r"^=== (.+) ===$", re.MULTILINE)
_WORDS: Final = re.compile(r"\badvisor\b[^\n]{0,80}?\b(?:under|at most|within|in) (\d{1,4}) words", re.IGNORECASE)
_SHOWN: Final = 160
_MOST_NAMES: Final = 4


def consults(conversation: Conversation, choice: _Block) -> Call | None:
    """The call of the advisor, where it is forced or asked for and has not been made since the question."""
    if _advice(conversation) is not None:
        return None
    forced = choice["type"] == "tool" and choice["name"] == _NAME
    alone = choice["type"] == "any" and len(conversation.request["tools"]) == 1
    asked = conversation.asked
    if forced or alone or (_ASKS.search(asked) and not _FORBIDS.search(asked)):
        return Call(_NAME, {}, SERVER)
    return None


def with_advice(conversation: Conversation, answer: str) -> str:
    """An answer in which the advice for it has its place."""
    advice = _advice(conversation)
    if advice is None or work_out(conversation.asked) is not None:
        return answer
    if advice["type"] != "advisor_result":
        return f"{answer}\n\nThe advisor gave no advice: {advice.get('error_code', 'it cannot be read here')}."
    said = "\n".join(f"> {line}" for line in str(advice["text"]).splitlines())
    return f"I asked the advisor, who says:\n\n{said}\n\n{answer}"


def _advice(conversation: Conversation) -> _Block | None:
    """What the advisor said last since the question."""
    for message in reversed(cast("list[_Block]", conversation.request["messages"])[conversation.start :]):
        content = message.get("content")
        for block in reversed(cast("list[_Block]", content) if isinstance(content, list) else []):
            if block["type"] == "advisor_tool_result":
                return block["content"]
    return None


def advise(request: _Block) -> str:
    """Advice for the conversation that is quoted in the request."""
    sections = _sections(request)
    asked = [text for head, text in sections if head == "user" and text]
    newest = asked[-1] if asked else ""
    words = next((int(found[1]) for text in reversed(asked) if (found := _WORDS.search(text))), None)
    advice = "\n".join(_lines(sections, newest))
    if words is not None and len(advice.split()) > words:
        return " ".join(advice.split()[:words])
    return advice


def _lines(sections: list[tuple[str, str]], newest: str) -> list[str]:
    sum_ = work_out(newest)
    if sum_ is not None:
        return [f"{sum_[0]} = {sum_[1]}. There is nothing to plan here: answer it."]
    task = _short(newest) or "what was asked"
    results = [(head.removeprefix("result of "), text) for head, text in sections if head.startswith("result of ")]
    failed = next(((name, text) for name, text in reversed(results) if name.endswith(" (error)")), None)
    if failed is not None and results[-1] == failed:
        name = failed[0].removesuffix(" (error)")
        return [
            f"The last call of `{name}` failed: {_short(failed[1]) or 'it did not say why'}",
            "Read what it says and change the call; the same call will fail again.",
            f"If it fails once more, say so, and what is missing for: {task}",
        ]
    if results:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(name for name, _ in results[-_MOST_NAMES:]))
        return [
            f"You have results of {names}. Hold them against the request before you go on: {task}",
            "If a part of it is not answered by them, take that step next; otherwise give the answer now.",
            "Say plainly what you could not check.",
        ]
    tools = [head.removeprefix("tool ") for head, _ in sections if head.startswith("tool ") and head != f"tool {_NAME}"]
    looking = f" with {', '.join(f'`{name}`' for name in tools[:_MOST_NAMES])}" if tools else ""
    return [
        f"1. Settle what counts as done for: {task}",
        f"2. Find out what is there{looking} before you change anything.",
        "3. Take the smallest step whose result can be checked, and check it: what goes wrong shows here first.",
        "4. Compare the whole with the request, and say what is left open.",
    ]


def _sections(request: _Block) -> list[tuple[str, str]]:
    content = request["messages"][-1]["content"]
    blocks = cast("list[_Block]", content) if isinstance(content, list) else [{"type": "text", "text": content}]
    # The last one is no part of the conversation.
    text = "".join(block["text"] for block in blocks[:-1] if block["type"] == "text")
    parts = _HEAD.split(text)
    return [(head, said.strip()) for head, said in zip(parts[1::2], parts[2::2], strict=True)]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN].rsplit(' ', 1)[0]} …"

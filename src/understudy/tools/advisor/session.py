"""The advisor tool in one turn.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool (2026-08); recorded answers of
2026-07.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeAlias, cast

import structlog

from understudy.engines.engine import PromptTooLongError
from understudy.tools.advisor.pairs import is_redacted
from understudy.tools.advisor.seals import SEALED_AS
from understudy.tools.advisor.transcript import NAME, segments
from understudy.tools.protocol import Asked, ModelUse, ToolCall, ToolResult
from understudy.tools.web.sealed import Sealed
from understudy.wire.advising import ASKED, SYSTEM, cut_note, room_note
from understudy.wire.errors import ApiError
from understudy.wire.server_tools import ServerFunction

_Block: TypeAlias = dict[str, Any]

_log = structlog.stdlib.get_logger("understudy.tools")

KIND: Final = "advisor_20260301"
_INPUT: Final[_Block] = {"type": "object", "properties": {}, "additionalProperties": False}
_DESCRIPTION: Final = (
    "Asks a stronger model for advice. It takes no parameters: the advisor sees the whole conversation, with every "
    "call and result. Ask it before you commit to a plan for a task of several steps, when you are stuck, and before "
    "you declare such a task done; not for what you can answer or look up at once. Give its advice serious weight."
)

# Breakpoints that a request may have.
_MOST_MARKS: Final = 4

_CODES_OF_STATUS: Final = {
    404: "model_not_found",
    408: "execution_time_exceeded",
    413: "prompt_too_long",
    429: "too_many_requests",
    503: "overloaded",
    504: "execution_time_exceeded",
    529: "overloaded",
}


class Advisor:
    """The advisor tool. Implements ServerTool. `timeout`: seconds that an advisor may take."""

    def __init__(self, sealed: Sealed, timeout: float) -> None:
        self.sealed = sealed
        self.timeout = timeout

    def serves(self, kind: str) -> bool:
        return kind == KIND

    async def session(self, asked: Asked) -> AdvisorSession:
        tools = cast("list[_Block]", asked.request["tools"])
        return AdvisorSession(self, asked, next(tool for tool in tools if tool.get("type") == KIND))


class AdvisorSession:
    """Implements ToolSession."""

    container = None
    functions = (ServerFunction(KIND, NAME, _DESCRIPTION, _INPUT),)

    def __init__(self, tool: Advisor, asked: Asked, declared: _Block) -> None:
        self._tool = tool
        self._asked = asked
        self._model: str = declared["model"]
        self._max_tokens: int | None = declared.get("max_tokens")
        self._caching: _Block | None = declared.get("caching")
        self._left: int | None = declared.get("max_uses")
        self._request = asked.request

    def answers(self, name: str) -> bool:
        return name == NAME

    def prompted(self, request: _Block) -> _Block:
        # Other tools may have added to it what the model is told.
        self._request = request
        return request

    async def start(self) -> None:
        """Nothing is made ready."""

    async def run(self, call: ToolCall) -> ToolResult:
        if self._left is not None:
            if self._left <= 0:
                return _failed("max_uses_exceeded")
            self._left -= 1
        others = self._asked.others
        assert others is not None, "nothing runs where tokens are only counted"
        most = others.most_tokens(self._model)
        if most is None:
            return _failed("model_not_found")
        request: _Block = {
            "model": self._model,
            "max_tokens": self._max_tokens or most,
            "system": SYSTEM,
            "messages": [{"role": "user", "content": self._transcript(call)}],
        }
        try:
            async with asyncio.timeout(self._tool.timeout):
                message = await others.ask(request)
        except (ApiError, TimeoutError) as error:
            code = _code(error)
            _log.warning(
                "an advisor gave no advice", model=self._model, error_code=code, exc_info=code == "unavailable"
            )
            return _failed(code)
        return self._result(message)

    def _transcript(self, call: ToolCall) -> list[_Block]:
        content: list[_Block] = []
        for segment in segments(self._request, call.messages, call.id):
            content += segment
            if self._caching is not None:
                content[-1] = {**content[-1], "cache_control": self._caching}
        # The newest are those that are read.
        marked = [place for place, block in enumerate(content) if "cache_control" in block]
        for place in marked[:-_MOST_MARKS]:
            content[place] = {name: value for name, value in content[place].items() if name != "cache_control"}
        asked = ASKED if self._max_tokens is None else f"{ASKED} {room_note(self._max_tokens)}"
        return [*content, {"type": "text", "text": asked}]

    def _result(self, message: _Block) -> ToolResult:
        text = "".join(block["text"] for block in message["content"] if block["type"] == "text")
        use = _use(message)
        if not text.strip():
            # It refused, or thought up to its last token. "Any other advisor failure" (advisor-tool.md).
            return _failed("unavailable", use)
        stop: _Block = {}
        if self._max_tokens is not None:
            stop = {"stop_reason": message["stop_reason"]}
            if message["stop_reason"] == "max_tokens":
                text = f"{text}\n\n{cut_note(self._max_tokens)}"
        plain = {"type": "advisor_result", "text": text, **stop}
        if not is_redacted(self._model):
            return ToolResult("advisor_tool_result", plain, advised=use)
        try:
            sealed = self._tool.sealed.seal(SEALED_AS, self._asked.organization_id, text)
        except ValueError:
            return _failed("unavailable", use)
        redacted = {"type": "advisor_redacted_result", "encrypted_content": sealed, **stop}
        return ToolResult("advisor_tool_result", redacted, read=plain, advised=use)

    async def close(self) -> None:
        """Nothing is held."""


def _failed(code: str, use: ModelUse | None = None) -> ToolResult:
    content = {"type": "advisor_tool_result_error", "error_code": code}
    return ToolResult("advisor_tool_result", content, advised=use)


def _code(error: ApiError | TimeoutError) -> str:
    if isinstance(error, PromptTooLongError):
        return "prompt_too_long"
    if isinstance(error, TimeoutError):
        return "execution_time_exceeded"
    return _CODES_OF_STATUS.get(error.status, "unavailable")


def _use(message: _Block) -> ModelUse:
    usage = message["usage"]
    created = cast("dict[str, int]", usage.get("cache_creation") or {})
    return ModelUse(
        message["model"],
        usage["input_tokens"],
        usage.get("cache_read_input_tokens") or 0,
        created.get("ephemeral_5m_input_tokens", 0),
        created.get("ephemeral_1h_input_tokens", 0),
        usage["output_tokens"],
    )

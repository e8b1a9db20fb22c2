"""The conversation: messages with OpenAI's roles as those of the Messages API, and the system prompt out of them."""

from __future__ import annotations

from typing import Any, Final, cast

import orjson

from understudy.messages.fold import largest_closed_prefix

from .content import Block, text_blocks, text_of, user_content
from .reading import a_string, an_object, objects, refused

# A call that was cut by max_tokens comes back with arguments that do not end. To close longer or deeper ones is not
# worth the time it takes.
_LONGEST_CUT: Final = 64 * 1024
_DEEPEST_CUT: Final = 256


def conversation(messages: object) -> tuple[str, list[dict[str, Any]]]:
    """The system prompt and the other messages.

    System and developer messages are hoisted wherever they stand, joined with a newline (documented).
    """
    return _Conversation().read(messages)


class _Conversation:
    def __init__(self) -> None:
        self._system: list[str] = []
        self._messages: list[dict[str, Any]] = []
        # The results at the end, which further ones join: together they answer the calls of one turn.
        self._results: list[Block] | None = None
        # Calls made by `function_call`, which have no ids: the newest of each name.
        self._functions: dict[str, str] = {}

    def read(self, messages: object) -> tuple[str, list[dict[str, Any]]]:
        for path, message in objects(messages, "messages"):
            role = message.get("role")
            content = message.get("content")
            if role in ("system", "developer"):
                text = text_of(content, f"{path}.content")
                if text:
                    self._system.append(text)
            elif role == "user":
                self._say("user", user_content(content, f"{path}.content"))
            elif role == "assistant":
                said = self._assistant(message, path)
                # One that said nothing (an answer cut while it was thought about) is no turn to the Messages API.
                if said:
                    self._say("assistant", said)
            elif role == "tool":
                self._result(a_string(message.get("tool_call_id"), f"{path}.tool_call_id"), content, path)
            elif role == "function":
                name = a_string(message.get("name"), f"{path}.name")
                self._result(self._functions.get(name, "call_unknown"), content, path)
            else:
                raise refused(
                    f"{path}.role", "Input should be 'developer', 'system', 'user', 'assistant', 'tool' or 'function'"
                )
        return "\n".join(self._system), self._messages

    def _say(self, role: str, content: str | list[Block]) -> None:
        self._results = None
        self._messages.append({"role": role, "content": content})

    def _result(self, call_id: str, content: object, path: str) -> None:
        if self._results is None:
            results: list[Block] = []
            self._say("user", results)
            self._results = results
        shown = content if isinstance(content, str) else text_blocks(content, f"{path}.content")
        self._results.append({"type": "tool_result", "tool_use_id": call_id, "content": shown})

    def _assistant(self, message: dict[str, Any], path: str) -> str | list[Block]:
        content = message.get("content")
        calls: object = message.get("tool_calls")
        function: object = message.get("function_call")
        if isinstance(content, str) and not calls and not function:
            return content
        blocks = text_blocks(content, f"{path}.content")
        if calls is not None:
            for place, call in objects(calls, f"{path}.tool_calls"):
                if call.get("type", "function") != "function":
                    raise refused(f"{place}.type", "Input should be 'function'")
                call_id = a_string(call.get("id"), f"{place}.id")
                blocks.append(_tool_use(call_id, call.get("function"), f"{place}.function"))
        if function is not None:
            call_id = f"call_{len(self._messages)}"
            block = _tool_use(call_id, function, f"{path}.function_call")
            self._functions[block["name"]] = call_id
            blocks.append(block)
        return blocks


def _tool_use(call_id: str, value: object, param: str) -> Block:
    function = an_object(value, param)
    name = a_string(function.get("name"), f"{param}.name")
    return {"type": "tool_use", "id": call_id, "name": name, "input": _input(function.get("arguments"), param)}


def _input(value: object, param: str) -> dict[str, Any]:
    text = a_string(value, f"{param}.arguments")
    if not text.strip():
        return {}
    try:
        parsed: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        # What was streamed until max_tokens; see the fold of such an answer.
        bounded = len(text) <= _LONGEST_CUT and text.count("{") + text.count("[") <= _DEEPEST_CUT
        parsed = largest_closed_prefix(text) if bounded and text.lstrip().startswith("{") else None
    if not isinstance(parsed, dict):
        raise refused(f"{param}.arguments", "Input should be a JSON object in a string")
    return cast("dict[str, Any]", parsed)

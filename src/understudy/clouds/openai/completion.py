"""A whole Message as a chat completion, and an error of the API as one of OpenAI's."""

from __future__ import annotations

from typing import Any, cast

import orjson

from .usage import counted, finish_reason


def completion(message: dict[str, Any], created: int, *, functions: bool) -> dict[str, Any]:
    """Thinking is not shown (documented). The id is the Message's, and a choice has these keys (recorded).

    Raises KeyError and TypeError for what is no Message.
    """
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in message["content"]:
        kind = block["type"]
        if kind == "text":
            texts.append(block["text"])
        elif kind == "tool_use":
            function = {"arguments": orjson.dumps(block["input"]).decode(), "name": block["name"]}
            calls.append({"function": function, "id": block["id"], "type": "function"})
    said: dict[str, Any] = {
        "content": "".join(texts) if texts or not calls else None,
        "refusal": None,
        "role": "assistant",
    }
    if calls and functions:
        said["function_call"] = calls[0]["function"]
    elif calls:
        said["tool_calls"] = calls
    reason = finish_reason(message["stop_reason"], functions=functions)
    return {
        "id": message["id"],
        "choices": [{"finish_reason": reason, "index": 0, "message": said}],
        "created": created,
        "model": message["model"],
        "object": "chat.completion",
        "usage": counted(message["usage"]),
    }


def error_body(error: dict[str, Any]) -> dict[str, Any]:
    """An error envelope of the API in OpenAI's form: keys, their order and `type` as observed with 400, 401, 429 and
    500; `code` is the API's type of the error."""
    inner: dict[str, Any] = error["error"]
    details: object = inner.get("details")
    param = cast("dict[str, Any]", details).get("param") if isinstance(details, dict) else None
    message = inner.get("message")
    return {
        "error": {
            "code": inner["type"],
            "message": message if isinstance(message, str) else "",
            "type": "invalid_request_error",
            "param": param if isinstance(param, str) else None,
        }
    }

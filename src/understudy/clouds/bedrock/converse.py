"""A request of Bedrock's Converse as one of the Messages API, as far as counting its tokens takes.

Source: Converse in Bedrock's API reference. What is not translated is refused with a 400 that names it: a count that
leaves parts out would be wrong.
"""

from __future__ import annotations

from typing import Any, Final, cast

from understudy.clouds.reading import take_betas
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json

_Json = dict[str, Any]

_IMAGES: Final = ("png", "jpeg", "gif", "webp")
_CHOICES: Final = ("auto", "any", "tool")


def as_messages(converse: _Json) -> tuple[_Json, list[str]]:
    """The request, without a model, and its betas."""
    request: _Json = {}
    messages = _array(converse.get("messages"), "messages")
    request["messages"] = [_message(each, f"messages.{place}") for place, each in enumerate(messages)]
    if not request["messages"]:
        raise InvalidRequestError("messages: at least one message is required")
    system = _array(converse.get("system") or [], "system")
    if system:
        request["system"] = _cached([_block(each, f"system.{place}") for place, each in enumerate(system)], "system")
    tools = converse.get("toolConfig")
    if tools is not None:
        config = _object(tools, "toolConfig")
        request["tools"] = _cached(
            [
                _tool(each, f"toolConfig.tools.{place}")
                for place, each in enumerate(_array(config.get("tools"), "tools"))
            ],
            "toolConfig.tools",
        )
        choice = config.get("toolChoice")
        if choice is not None:
            request["tool_choice"] = _choice(_object(choice, "toolConfig.toolChoice"))
    fields = _object(converse.get("additionalModelRequestFields") or {}, "additionalModelRequestFields")
    betas = take_betas(fields) or []
    if isinstance(fields.get("thinking"), dict):
        request["thinking"] = fields["thinking"]
    return request, betas


def _choice(choice: _Json) -> _Json:
    if len(choice) != 1 or not choice.keys() <= set(_CHOICES):
        raise InvalidRequestError(f"toolConfig.toolChoice: must be one of {', '.join(_CHOICES)}")
    ((kind, value),) = choice.items()
    if kind != "tool":
        return {"type": kind}
    return {"type": kind, "name": _object(value, "toolConfig.toolChoice.tool").get("name")}


def _message(value: Any, path: str) -> _Json:
    message = _object(value, path)
    content = _array(message.get("content"), f"{path}.content")
    blocks = [_block(each, f"{path}.content.{place}") for place, each in enumerate(content)]
    return {"role": message.get("role"), "content": _cached(blocks, f"{path}.content")}


def _cached(blocks: list[_Json], path: str) -> list[_Json]:
    """A cache point marks the block before it."""
    kept: list[_Json] = []
    for block in blocks:
        if block.get("type") != "cachePoint":
            kept.append(block)
        elif kept:
            kept[-1] = {**kept[-1], "cache_control": {"type": "ephemeral"}}
        else:
            raise InvalidRequestError(f"{path}: a cachePoint must follow a block")
    return kept


def _block(value: Any, path: str) -> _Json:
    block = _object(value, path)
    if len(block) != 1:
        raise InvalidRequestError(f"{path}: must have exactly one member")
    ((kind, inner),) = block.items()
    if kind == "text":
        return {"type": "text", "text": inner}
    given = _object(inner, f"{path}.{kind}")
    if kind == "cachePoint":
        return {"type": "cachePoint"}
    if kind == "image":
        return _media("image", given, f"{path}.image")
    if kind == "document" and given.get("format") == "pdf":
        return {**_media("document", given, f"{path}.document"), "title": given.get("name")}
    if kind == "toolUse":
        return {
            "type": "tool_use",
            "id": given.get("toolUseId"),
            "name": given.get("name"),
            "input": given.get("input"),
        }
    if kind == "toolResult":
        content = _array(given.get("content") or [], f"{path}.toolResult.content")
        return {
            "type": "tool_result",
            "tool_use_id": given.get("toolUseId"),
            "content": [_result(each, f"{path}.toolResult.content.{place}") for place, each in enumerate(content)],
            "is_error": given.get("status") == "error",
        }
    raise InvalidRequestError(f"{path}.{kind}: cannot be counted here")


def _result(value: Any, path: str) -> _Json:
    block = _object(value, path)
    if set(block) == {"json"}:
        return {"type": "text", "text": to_json(block["json"])}
    if not block.keys() <= {"text", "image", "document"}:
        # Results in results have no end, and nothing valid has any.
        raise InvalidRequestError(f"{path}: must be one of text, json, image and document")
    return _block(block, path)


def _media(kind: str, given: _Json, path: str) -> _Json:
    data = _object(given.get("source"), f"{path}.source").get("bytes")
    if not isinstance(data, str):
        raise InvalidRequestError(f"{path}.source: must have bytes")
    if kind == "document":
        media_type = "application/pdf"
    elif given.get("format") in _IMAGES:
        media_type = f"image/{given['format']}"
    else:
        raise InvalidRequestError(f"{path}.format: must be one of {', '.join(_IMAGES)}")
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _tool(value: Any, path: str) -> _Json:
    tool = _object(value, path)
    if set(tool) == {"cachePoint"}:
        return {"type": "cachePoint"}
    spec = _object(tool.get("toolSpec"), f"{path}.toolSpec")
    found: _Json = {
        "name": spec.get("name"),
        "input_schema": _object(spec.get("inputSchema"), f"{path}.toolSpec.inputSchema").get("json"),
    }
    if spec.get("description") is not None:
        found["description"] = spec["description"]
    return found


def _object(value: Any, path: str) -> _Json:
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{path}: Input should be an object")
    return dict(cast("_Json", value))


def _array(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRequestError(f"{path}: Input should be a valid list")
    return cast("list[Any]", value)

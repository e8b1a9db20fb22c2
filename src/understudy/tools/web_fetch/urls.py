"""Which URLs stand in a conversation. Only these may be fetched: a URL that a model has put together could carry off
what the conversation holds.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool#url-validation (2026-08), and the
parameter `url_sources` of the official SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

from understudy.wire.server_tools import RESULT_OF

_Block: TypeAlias = dict[str, Any]

_BREAKS: Final = re.compile(r"[\s<>\"'`()\[\]{}|\\^\u3000-\u303f\uff00-\uffef]+")
_TRAILING: Final = ".,;:!?*_~\u2026"
_LONGEST: Final = 4_096
_HOST: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+\.?(?::[0-9]+)?")

# Containers are told apart from the web: what code prints is what the model wrote.
_CONTAINER_RESULTS: Final = frozenset(kind for name, kind in RESULT_OF.items() if "code_execution" in name)
_NAME_OF: Final = {kind: name for name, kind in RESULT_OF.items()}


def canonical(url: str) -> str | None:
    """A URL as it is compared: without fragment, its scheme and host in lower case. None for what is none.

    `http` and `https` are one, and a trailing slash of an empty path: who writes `example.com` means `https://example.com/`.
    Hosts have a dot, so that not every word is one.
    """
    if len(url) > _LONGEST:
        return None
    try:
        parts = urlsplit(url if "://" in url else "https://" + url)
        host = parts.netloc.lower()
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"} or not _HOST.fullmatch(host):
        return None
    return urlunsplit(("", host, parts.path or "/", parts.query, ""))


def urls_in(text: str) -> Iterator[str]:
    """The URLs that stand in a text, each as it is compared."""
    for token in _BREAKS.split(text):
        if "." not in token:
            continue
        # `key=https://…` and `see:https://…` hold one as well.
        start = max(token.rfind("https://"), token.rfind("http://"), 0)
        for piece in (token[start:], token[start:].rstrip(_TRAILING)):
            found = canonical(piece)
            if found is not None:
                yield found


class UrlsOfConversation:
    """The URLs that a conversation has, from the sources that `url_sources` allows (None: all)."""

    def __init__(self, messages: Sequence[_Block], url_sources: Mapping[str, Any] | None) -> None:
        self._sources = url_sources or {}
        self._found: set[str] = set()
        self._names: dict[str, str] = {}
        # What was read, by its identity, and kept so that nothing else can have that.
        self._read: dict[int, _Block] = {}
        self.add(messages)

    def add(self, messages: Sequence[_Block]) -> None:
        """The conversation as it has become. What was read before is not read again: code may fetch a hundred times."""
        for message in messages:
            content: Any = message["content"]
            if isinstance(content, list):
                for block in cast("list[_Block]", content):
                    if self._is_new(block):
                        self._add(message["role"], block, self._names)
            elif message["role"] == "user" and self._is_new(message):
                self._add_user(content)

    def _is_new(self, part: _Block) -> bool:
        if id(part) in self._read:
            return False
        self._read[id(part)] = part
        return True

    def __contains__(self, url: str) -> bool:
        wanted = canonical(url)
        return wanted is not None and wanted in self._found

    def _add(self, role: str, block: _Block, names: dict[str, str]) -> None:
        kind = block["type"]
        if kind in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            names[block["id"]] = block["name"]
        elif kind == "tool_result":
            if self._allowed("client_tool_results", names.get(block["tool_use_id"], "")):
                self._add_texts(block.get("content"))
        elif kind.endswith("_tool_result"):
            if kind not in _CONTAINER_RESULTS:
                name = names.get(block["tool_use_id"]) or _NAME_OF.get(kind, "")
                if self._allowed("server_tool_results", name):
                    self._add_texts(block.get("content"))
        elif role == "user" and self._allowed("user_input", ""):
            self._add_texts(block)

    def _add_user(self, text: str) -> None:
        if self._allowed("user_input", ""):
            self._found.update(urls_in(text))

    def _allowed(self, source: str, tool: str) -> bool:
        rule: _Block = self._sources.get(source) or {"type": "all"}
        match rule["type"]:
            case "none":
                return False
            case "only":
                return any(one["name"] == tool for one in rule["tools"])
            case "except":
                return all(one["name"] != tool for one in rule["tools"])
            case _:
                return True

    def _add_texts(self, value: object) -> None:
        """All texts in a block, but for what only looks like text: pictures, seals."""
        if isinstance(value, str):
            self._found.update(urls_in(value))
        elif isinstance(value, list):
            for one in cast("list[object]", value):
                self._add_texts(one)
        elif isinstance(value, dict):
            members = cast("dict[str, object]", value)
            if members.get("type") == "base64":
                return
            for name, inner in members.items():
                if name not in {"encrypted_content", "encrypted_index", "signature", "type"}:
                    self._add_texts(inner)

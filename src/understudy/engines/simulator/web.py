"""How the simulator uses web search and web fetch: it searches for what is asked, reads the pages that are named, and
answers with what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.materials import Materials
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Call, Part, Text
from understudy.engines.simulator.quoting import quoted
from understudy.wire.server_tools import SERVER

_URL: Final = re.compile(r"https?://[^\s<>\"'`()\[\]{}|\\^]+")
_TRAILING: Final = ".,;:!?*_~…。、"
# What is asked about things that change, or asked to be looked for.
_SEARCHES: Final = re.compile(
    r"\b(?:web[ _-]?search|search(?:es)?|google|look(?:ing)?[ -]?(?:it |this |that )?up|find out|browse|online|"
    r"internet|"
    r"news|headlines?|latest|newest|current(?:ly)?|recent(?:ly)?|today|yesterday|tomorrow|this (?:week|month|year)|"
    r"weather|stock price|score|released?)\b|検索|調べ|ニュース|最新|今日|天気",
    re.IGNORECASE,
)
_FORBIDS: Final = re.compile(r"\b(?:do not|don't|without|no) (?:search|web search|using the web|look)", re.IGNORECASE)
_QUERY: Final = re.compile(
    r"(?:\bquery\s*:|\b(?:web )?search(?:es)?(?: the (?:web|internet|documents))?(?: for|:)|\blook(?: it)? up\b:?|"
    r"\bfind out\b|\bgoogle\b)\s*(?P<query>[^\n]+)",
    re.IGNORECASE,
)
_REMARK: Final = re.compile(
    r"(?:^|(?<=[.!?]))\s*(?:please\s+)?(?:use|cite|using|with|reply|answer|summari[sz]e|then|and)\b[^.!?]*"
    r"(?:web[ _]search|sources?|citations?|search tool|it|them|what you find|only[^.!?]*)\s*[.!?]?\s*$",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(r",? (?:and|then) (?:tell|cite|read|fetch|open|summari[sz]e|report|give|answer)\b.*$", re.I)
_READS_RESULT: Final = re.compile(
    r"\b(?:fetch|open|read)\b[^.\n]{0,40}\b(?:result|hit|page|article|it|one)\b", re.IGNORECASE
)
_LONGEST_QUERY: Final = 300
_MOST_PAGES: Final = 3
# Characters of a page that is told without quoting.
_MOST_TOLD: Final = 1_200


@dataclass(frozen=True, slots=True)
class _Use:
    """A call of one of the two tools since the question, and its result if that has come."""

    name: str
    input: dict[str, Any]
    result: dict[str, Any] | list[dict[str, Any]]


def web_parts(turn: EngineTurn, conversation: Conversation, names: set[str], choice: dict[str, Any]) -> list[Part]:
    """The next calls, or the answer; nothing where neither tool is asked for."""
    asked = conversation.asked
    uses, before = _uses(conversation)
    forced = choice["name"] if choice["type"] == "tool" else None
    if forced is not None and forced not in names:
        return []
    if "web_fetch" in names and forced != "web_search":
        done = {use.input.get("url") for use in uses if use.name == "web_fetch"}
        urls = [url for url in _urls(asked) if url not in done][:_MOST_PAGES]
        if not urls and not done and (forced or _READS_RESULT.search(asked)):
            urls = [result["url"] for use in uses for result in _results(use)][:1]
        if urls and len(done) < _MOST_PAGES:
            return [Call("web_fetch", {"url": url}, SERVER) for url in urls]
    searched = any(use.name == "web_search" for use in uses)
    if "web_search" in names and not searched and not any(use.name == "web_fetch" for use in uses):
        wanted = forced == "web_search" or (choice["type"] == "any" and len(turn.request["tools"]) == 1)
        if wanted or (_SEARCHES.search(asked) and not _FORBIDS.search(asked)):
            return [Call("web_search", {"query": query_of(asked)}, SERVER)]
    return _answer(turn, asked, uses, before) if uses else []


def query_of(asked: str) -> str:
    """What to search for, from the words of the request."""
    line = next((line for line in asked.splitlines() if _SEARCHES.search(line)), asked.strip().split("\n", 1)[0])
    found = _QUERY.search(line)
    query = _TAIL.sub("", _REMARK.sub("", found["query"] if found else line)).strip()
    query = query.strip(" .?!\"'“”‘’:")
    return (query or asked.strip())[:_LONGEST_QUERY]


def _urls(asked: str) -> list[str]:
    return list(dict.fromkeys(url.rstrip(_TRAILING) for url in _URL.findall(asked)))


def _uses(conversation: Conversation) -> tuple[list[_Use], int]:
    """The uses since the question, and how many results of searches stand before it."""
    calls: dict[str, dict[str, Any]] = {}
    uses: list[_Use] = []
    before = 0
    for place, message in enumerate(cast("list[dict[str, Any]]", conversation.request["messages"])):
        content = message.get("content")
        for block in cast("list[dict[str, Any]]", content) if isinstance(content, list) else []:
            kind = block["type"]
            if kind == "server_tool_use":
                calls[block["id"]] = block
            elif kind in {"web_search_tool_result", "web_fetch_tool_result"}:
                call = calls.get(block["tool_use_id"], {"name": kind.removesuffix("_tool_result"), "input": {}})
                use = _Use(call["name"], call["input"], block["content"])
                if place > conversation.start:
                    uses.append(use)
                else:
                    before += sum("text" in result for result in _results(use))
    return uses, before


def _results(use: _Use) -> list[dict[str, Any]]:
    return use.result if isinstance(use.result, list) else []


def _answer(turn: EngineTurn, asked: str, uses: list[_Use], before: int) -> list[Part]:
    materials = turn.materials
    fetched = sum(use.name == "web_fetch" and _page(use) is not None for use in uses)
    if fetched:
        documents = materials.documents[len(materials.documents) - fetched :]
        if any(document.citations for document in documents):
            parts = quoted(_URL.sub(" ", asked), Materials(documents=materials.documents))
            if parts:
                return parts
        pages = [page for use in uses if (page := _page(use)) is not None]
        return [Text("\n\n".join(map(_told, pages)))]
    if any(_results(use) for use in uses):
        parts = quoted(query_of(asked), materials, range(before, len(materials.web_results)))
        if parts:
            return parts
        titles = "\n".join(f"- {result['title']} ({result['url']})" for use in uses for result in _results(use))
        return [Text(f"Here is what I found:\n\n{titles}")]
    for use in uses:
        if isinstance(use.result, dict) and "error_code" in use.result:
            what = "The search" if use.name == "web_search" else "Fetching the page"
            return [Text(f"{what} did not work: {use.result['error_code']}.")]
    return [Text(f"I found nothing about {query_of(asked)}.")]


def _page(use: _Use) -> dict[str, Any] | None:
    return use.result.get("content") if isinstance(use.result, dict) else None


def _told(page: dict[str, Any]) -> str:
    title = page.get("title") or "The page"
    source = page["source"]
    if source["type"] != "text":
        return f"**{title}** is a PDF."
    text: str = source["data"].strip()
    cut = text if len(text) <= _MOST_TOLD else text[:_MOST_TOLD].rsplit(" ", 1)[0] + " …"
    return f"**{title}** says:\n\n{cut}"

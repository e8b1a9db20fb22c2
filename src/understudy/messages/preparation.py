"""From a request that keeps the rules to a turn that an engine can be asked: media read, thinking checked, the prompt
edited, counted and looked up in the cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from understudy.documents.reader import PdfReader
from understudy.engines.catalog import Model
from understudy.engines.engine import EngineTurn, Measuring
from understudy.engines.materials import NO_MATERIALS, Materials
from understudy.engines.routing import Route
from understudy.http.exchange import Exchange
from understudy.messages.caching import CacheTurn, CacheUse, Ledger, MemoryLedger, PromptCache, asks_diagnosis
from understudy.messages.caching.cache import Measure
from understudy.messages.caching.verified import prefixes
from understudy.messages.context import COMPACT, Compaction, compaction_of, edit_context, uncompacted, without_cleared
from understudy.messages.counting import Mark, count_prompt
from understudy.messages.files import Files
from understudy.messages.materials import gather
from understudy.messages.prompting import Prompted
from understudy.messages.rules import Found, check_prompt_length
from understudy.messages.signatures import Seals, Signer, check, no_transformations
from understudy.messages.turn import Turn, thinking_type
from understudy.messages.unbuilt import check_built
from understudy.net.client import Fetcher
from understudy.tools.protocol import Asked
from understudy.tools.running import ServerTools, ToolRun
from understudy.tools.web.results import opened, web_results
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import ApiError
from understudy.wire.server_tools import ServerFunction

_T = TypeVar("_T")

NO_TOOLS: Final = ServerTools(())

_WEB_PAGES: Final = "web_fetch_tool_result"
_WEB_RESULTS: Final = "web_search_tool_result"


class Preparation:
    """`pdfs`, `fetcher` and `files` are None where documents cannot be read, or nothing is fetched, or stored. `clock`
    tells seconds. `tools` are those that this server runs.

    `ledger`: of the prompt cache, on the same clock; without one it is of this process alone.
    """

    def __init__(
        self,
        signer: Signer,
        *,
        pdfs: PdfReader | None,
        fetcher: Fetcher | None,
        clock: Callable[[], float],
        files: Files | None = None,
        ledger: Ledger | None = None,
        tools: ServerTools = NO_TOOLS,
        sealed: Sealed | None = None,
    ) -> None:
        self._signer = signer
        self._pdfs = pdfs
        self._fetcher = fetcher
        self._files = files
        self._tools = tools
        self._sealed = sealed
        self._cache = PromptCache(MemoryLedger(clock) if ledger is None else ledger, clock)

    async def prepare(self, exchange: Exchange, request: dict[str, Any], route: Route, found: Found) -> Turn:
        """The turn for a Messages request. Raises the API's errors."""
        model, betas = route.model, exchange.betas
        check_built(request, found, self._tools.serves)
        organization_id, workspace_id = _caller(exchange)
        materials = NO_MATERIALS
        if found.media:
            gathered = await gather(
                request, model, pdfs=self._pdfs, fetcher=self._fetcher, files=self._files, tenant=workspace_id
            )
            request, materials = gathered.request, gathered.materials
        # Thinking is signed for the conversation as the client knows it.
        seals = Seals(self._signer, model, organization_id, request)
        transformations = no_transformations(model, betas)
        if found.thinking:
            checked = check(
                request,
                signer=self._signer,
                model=model,
                organization_id=organization_id,
                betas=betas,
                foreign_ok=route.forwards,
            )
            request, transformations = checked.request, checked.transformations
        compaction = self._compaction(request, found, model, exchange, foreign_ok=route.forwards)
        if found.web_results and self._sealed is not None:
            request = opened(request, self._sealed, organization_id)
        if found.clears_system:
            request = without_cleared(request)
        tools: ToolRun | None = None
        functions: Sequence[ServerFunction] = ()
        if found.server_tools or request.get("mcp_servers"):
            tools = await self._tools.open(Asked(organization_id, workspace_id, request, betas))
            if tools is not None:
                request, functions = tools.prompted(request), tools.functions
        applied_edits: list[dict[str, Any]] = []
        input_tokens = None
        management = request.get("context_management")
        if management and management.get("edits"):
            edited = await edit_context(request, model, _counter(model))
            request, applied_edits, input_tokens = edited.request, edited.applied_edits, edited.input_tokens
            if request["max_tokens"]:
                compaction = compaction_of(request, model, betas)
        if found.web_results:
            materials = self._with_web_results(materials, request, organization_id)
        asked = _asked(request, route, materials, functions)
        caches = bool(found.breakpoints)
        use, cached = await self._measured(asked, route, workspace_id, betas, input_tokens, caches=caches)
        check_prompt_length(use.total_tokens, request, model, betas)
        if compaction is not None and tools is None and not compaction.is_due(use.total_tokens):
            compaction = None
        more_calls = tools is not None or compaction is not None
        return Turn(
            request=request,
            route=route,
            input_tokens=use.total_tokens,
            betas=betas,
            record=exchange.record,
            use=use,
            seals=seals,
            materials=materials,
            applied_edits=applied_edits,
            transformations=transformations,
            diagnostics=None if cached is None else cached.diagnostics,
            cached=cached,
            tenant=workspace_id,
            tools=tools,
            again=self._again(asked, route, exchange, caches=caches) if more_calls else None,
            compaction=compaction,
        )

    def _compaction(
        self, request: dict[str, Any], found: Found, model: Model, exchange: Exchange, *, foreign_ok: bool
    ) -> Compaction | None:
        """The compaction that the whole request is, where it is one."""
        asked = request.get("compaction")
        if not asked and not found.summaries:
            return None
        from understudy.messages.context.summaries import Summaries

        organization_id, _ = _caller(exchange)
        summaries = Summaries(self._signer, model, organization_id, request)
        if found.summaries:
            summaries.check_sent_back(exchange.betas, foreign_ok=foreign_ok)
        return summaries.asked(found) if asked else None

    def _with_web_results(self, materials: Materials, request: dict[str, Any], organization_id: str) -> Materials:
        if self._sealed is None:
            return materials
        return replace(materials, web_results=web_results(request, self._sealed, organization_id))

    def _again(
        self, first: EngineTurn, route: Route, exchange: Exchange, *, caches: bool
    ) -> Callable[[dict[str, Any]], Awaitable[Prompted]]:
        (organization_id, workspace_id), betas = _caller(exchange), exchange.betas

        async def again(request: dict[str, Any]) -> Prompted:
            materials = first.materials
            brought = _brought_by_tools(request)
            if _WEB_PAGES in brought:
                gathered = await gather(
                    request, route.model, pdfs=self._pdfs, fetcher=None, files=None, tenant=workspace_id
                )
                request, materials = gathered.request, replace(gathered.materials, web_results=materials.web_results)
            if _WEB_RESULTS in brought:
                materials = self._with_web_results(materials, request, organization_id)
            # What a diagnosis tells is told with the first call.
            asked = _asked({**request, "diagnostics": None}, route, materials, first.server_functions)
            use, cached = await self._measured(asked, route, workspace_id, (), None, caches=caches)
            check_prompt_length(use.total_tokens, request, route.model, betas)
            return Prompted(request, use, cached, materials)

        return again

    async def _measured(
        self,
        asked: EngineTurn,
        route: Route,
        workspace_id: str,
        betas: tuple[str, ...],
        input_tokens: int | None,
        *,
        caches: bool,
    ) -> tuple[CacheUse, CacheTurn | None]:
        """How a prompt is billed, and the cache's part in it. `input_tokens`: as far as they were counted."""
        request, model, measurer = asked.request, route.model, route.measurer
        if caches or asks_diagnosis(request, betas):
            measure = None if measurer is None else _measure(measurer, route, asked)
            cached = await self._cache.begin(request, model, workspace_id, betas=betas, measure=measure)
            return cached.use, cached
        if measurer is not None:
            counted = await _unless_failed(measurer.count(asked), route)
            input_tokens = input_tokens if counted is None else counted
        if input_tokens is None:
            input_tokens = await count_prompt(request, model)
        return CacheUse(input_tokens, 0, 0, 0), None

    async def count(self, exchange: Exchange, request: dict[str, Any], route: Route, found: Found) -> dict[str, Any]:
        """The answer of count_tokens: the tokens of the prompt that such a request would have."""
        check_built(request, found, self._tools.serves)
        model, counter = route.model, route.counter
        organization_id, workspace_id = _caller(exchange)
        materials = NO_MATERIALS
        if found.media:
            # Only who counts by the whole prompt must know what its documents say.
            pdfs = None if counter is None else self._pdfs
            gathered = await gather(
                request, model, pdfs=pdfs, fetcher=None, files=self._files, tenant=workspace_id, counting=True
            )
            request, materials = gathered.request, gathered.materials
        if found.thinking:
            checked = check(
                request,
                signer=self._signer,
                model=model,
                organization_id=organization_id,
                betas=exchange.betas,
                foreign_ok=route.forwards,
            )
            request = checked.request
        if found.web_results and self._sealed is not None:
            request = opened(request, self._sealed, organization_id)
        if found.clears_system:
            request = without_cleared(request)
        functions: Sequence[ServerFunction] = ()
        if found.server_tools or request.get("mcp_servers"):
            tools = await self._tools.open(Asked(organization_id, workspace_id, request, exchange.betas, counting=True))
            if tools is not None:
                request, functions = tools.prompted(request), tools.functions
        management = request.get("context_management")
        if management and management.get("edits"):
            edited = await edit_context(request, model, _counter(model))
            original = edited.original_input_tokens
            if any(edit["type"] == COMPACT for edit in management["edits"]):
                # Summaries that are there are read; none is written (compaction.md).
                before = uncompacted(request)
                original = original if before is request else await count_prompt(before, model)
            return {
                "input_tokens": edited.input_tokens,
                "context_management": {"original_input_tokens": original},
            }
        counted = None
        if counter is not None:
            counted = await _unless_failed(counter.count(_asked(request, route, materials, functions)), route)
        return {"input_tokens": await count_prompt(request, model) if counted is None else counted}


def _asked(
    request: dict[str, Any], route: Route, materials: Materials, functions: Sequence[ServerFunction]
) -> EngineTurn:
    """A turn that is only counted."""
    return EngineTurn(
        model=route.target,
        request=request,
        max_tokens=1,
        input_tokens=0,
        thinking=thinking_type(request, route.model),
        materials=materials,
        server_functions=functions,
    )


async def _unless_failed(asked: Awaitable[_T], route: Route) -> _T | None:
    """What an engine says of a prompt; None where it fails but another target may answer. What it refuses is raised."""
    try:
        return await asked
    except ApiError as error:
        if error.status < 500 or not route.alternatives:
            raise
        return None


def _measure(engine: Measuring, route: Route, asked: EngineTurn) -> Measure:
    async def measured(marks: Sequence[Mark]) -> tuple[int, Sequence[int]]:
        return await engine.count(asked), await engine.offsets(asked, prefixes(asked.request, marks))

    return lambda marks: _unless_failed(measured(marks), route)


def _counter(model: Model) -> Callable[[dict[str, Any]], Any]:
    return lambda request: count_prompt(request, model)


def _brought_by_tools(request: dict[str, Any]) -> set[str]:
    """Types of the blocks of the answer so far: the assistant's last message, behind which may stand what it is asked
    for a summary."""
    return {
        block["type"]
        for message in request["messages"][-2:]
        if message["role"] == "assistant" and message["content"].__class__ is list
        for block in message["content"]
    }


def _caller(exchange: Exchange) -> tuple[str, str]:
    """Ids of the organization and of the workspace; empty where there is none."""
    principal = exchange.principal
    return ("", "") if principal is None else (principal.organization_id, principal.workspace_id or "")

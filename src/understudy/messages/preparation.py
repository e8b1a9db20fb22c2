"""From a request that keeps the rules to a turn that an engine can be asked: media read, thinking checked, the prompt
edited, counted and looked up in the cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from understudy.documents.reader import PdfReader
from understudy.engines.catalog import Model
from understudy.engines.engine import EngineTurn
from understudy.engines.materials import NO_MATERIALS, Materials
from understudy.engines.routing import Route
from understudy.http.exchange import Exchange
from understudy.messages.budgets import Countdown, count_down, task_budget_of
from understudy.messages.caching import CacheTurn, CacheUse, Ledger, MemoryLedger, PromptCache, asks_diagnosis
from understudy.messages.context import COMPACT, Compaction, compaction_of, edit_context, uncompacted, without_cleared
from understudy.messages.counting import count_prompt
from understudy.messages.credit import Credit, granted
from understudy.messages.files import Files
from understudy.messages.kept import KeptExchange
from understudy.messages.materials import gather
from understudy.messages.measuring import counter_of, measured_by, only_counted, unless_failed
from understudy.messages.prompting import Prompted
from understudy.messages.rules import Found, check_prompt_length
from understudy.messages.signatures import Seals, Signer, check, no_transformations
from understudy.messages.turn import Turn
from understudy.messages.unbuilt import check_built
from understudy.net.client import Fetcher
from understudy.tools.programmatic.history import without_code_calls
from understudy.tools.protocol import Asked, OtherModels
from understudy.tools.running import ServerTools, ToolRun
from understudy.tools.web.results import opened, web_results
from understudy.tools.web.sealed import Sealed
from understudy.wire.known_bodies import KnownBody
from understudy.wire.server_tools import ServerFunction

NO_TOOLS: Final = ServerTools(())

_WEB_PAGES: Final = "web_fetch_tool_result"
_WEB_RESULTS: Final = "web_search_tool_result"


class Preparation:
    """`pdfs`, `fetcher` and `files` are None where documents cannot be read, or nothing is fetched, or stored. `clock`
    tells seconds. `tools` are those that this server runs; `sealed` and `advice` seal what they bring.

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
        advice: Sealed | None = None,
        credit: Sealed | None = None,
    ) -> None:
        self._signer = signer
        self._clock = clock
        self._credit = credit
        self._pdfs = pdfs
        self._fetcher = fetcher
        self._files = files
        self._tools = tools
        self._sealed = sealed
        self._advice = advice
        self._cache = PromptCache(MemoryLedger(clock) if ledger is None else ledger, clock)

    async def prepare(
        self,
        exchange: Exchange,
        request: dict[str, Any],
        route: Route,
        found: Found,
        others: OtherModels | None = None,
        *,
        continues: bool = False,
        known: KnownBody | None = None,
    ) -> Turn:
        """The turn for a Messages request. `others` are those that its tools may ask. `continues`: its last message is
        of the answer itself, which has begun. `known`: the body that it came as. Raises the API's errors."""
        model, betas = route.model, exchange.betas
        sent = request
        check_built(request, found, self._tools.serves)
        organization_id, workspace_id = _caller(exchange)
        materials = NO_MATERIALS
        if found.media:
            gathered = await gather(
                request, model, pdfs=self._pdfs, fetcher=self._fetcher, files=self._files, tenant=workspace_id
            )
            request, materials = gathered.request, gathered.materials
        # Thinking is signed for the conversation as the client knows it.
        signed = {**request, "messages": request["messages"][:-1]} if continues else request
        seals = Seals(self._signer, model, organization_id, signed)
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
        request = self._opened(request, found, organization_id, foreign_ok=route.forwards)
        if found.clears_system:
            request = without_cleared(request)
        tools: ToolRun | None = None
        functions: Sequence[ServerFunction] = ()
        if found.server_tools or found.by_code or request.get("mcp_servers"):
            tools = await self._tools.open(Asked(organization_id, workspace_id, request, betas, others=others))
            if tools is not None:
                request, functions = tools.prompted(request), tools.functions
        if found.code_calls:
            request = without_code_calls(request)
        countdown = await self._counted_down(request, route)
        if countdown is not None:
            request = countdown.request
        applied_edits: list[dict[str, Any]] = []
        input_tokens = None
        management = request.get("context_management")
        if management and management.get("edits"):
            edited = await edit_context(request, model, counter_of(model))
            request, applied_edits, input_tokens = edited.request, edited.applied_edits, edited.input_tokens
            if request["max_tokens"]:
                compaction = compaction_of(request, model, betas)
        if found.web_results:
            materials = self._with_web_results(materials, request, organization_id)
        asked = only_counted(request, route, materials, functions)
        caches = bool(found.breakpoints)
        use, cached = await self._measured(
            asked, route, workspace_id, betas, input_tokens, caches=caches, waits=bool(found.waiting), known=known
        )
        check_prompt_length(use.total_tokens, request, model, betas)
        if compaction is not None and tools is None and not compaction.is_due(use.total_tokens):
            compaction = None
        more_calls = tools is not None or compaction is not None
        credit = None
        if betas and self._credit is not None and granted(betas) and not isinstance(exchange, KeptExchange):
            # Batches neither give nor redeem it (documented).
            credit = Credit(self._credit, self._clock, organization_id, workspace_id, model, sent, betas)
            if sent.get("fallback_credit_token"):
                use = credit.redeem(sent["fallback_credit_token"], use)
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
            again=self._again(asked, route, exchange, countdown, caches=caches) if more_calls else None,
            compaction=compaction,
            credit=credit,
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

    def _opened(
        self, request: dict[str, Any], found: Found, organization_id: str, *, foreign_ok: bool
    ) -> dict[str, Any]:
        """The request with what tools of earlier turns have brought, as far as it came sealed."""
        if found.web_results and self._sealed is not None:
            request = opened(request, self._sealed, organization_id)
        if found.sealed_advice and self._advice is not None:
            from understudy.tools.advisor.replay import opened_advice

            request = opened_advice(request, self._advice, organization_id, foreign_ok=foreign_ok)
        return request

    async def _counted_down(self, request: dict[str, Any], route: Route) -> Countdown | None:
        """What the model is told of its task budget. Claude upstreams tell it themselves."""
        budget = task_budget_of(request)
        if budget is None or (route.chain is not None and all(target.claude for target in route.chain.targets)):
            return None
        return await count_down(request, budget, route.model)

    def _with_web_results(self, materials: Materials, request: dict[str, Any], organization_id: str) -> Materials:
        if self._sealed is None:
            return materials
        return replace(materials, web_results=web_results(request, self._sealed, organization_id))

    def _again(
        self, first: EngineTurn, route: Route, exchange: Exchange, countdown: Countdown | None, *, caches: bool
    ) -> Callable[[dict[str, Any]], Awaitable[Prompted]]:
        (organization_id, workspace_id), betas = _caller(exchange), exchange.betas

        async def again(request: dict[str, Any]) -> Prompted:
            materials = first.materials
            if countdown is not None:
                request = await countdown.going_on(request, route.model)
            brought = _brought_by_tools(request)
            if _WEB_PAGES in brought:
                gathered = await gather(
                    request, route.model, pdfs=self._pdfs, fetcher=None, files=None, tenant=workspace_id
                )
                request, materials = gathered.request, replace(gathered.materials, web_results=materials.web_results)
            if _WEB_RESULTS in brought:
                materials = self._with_web_results(materials, request, organization_id)
            # What a diagnosis tells is told with the first call.
            asked = only_counted({**request, "diagnostics": None}, route, materials, first.server_functions)
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
        waits: bool = False,
        known: KnownBody | None = None,
    ) -> tuple[CacheUse, CacheTurn | None]:
        """How a prompt is billed, and the cache's part in it. `input_tokens`: as far as they were counted. `waits`: it
        ends with a call whose result comes before any engine is asked, and none need take it as it is."""
        request, model = asked.request, route.model
        measurer = None if waits else route.measurer
        if caches or asks_diagnosis(request, betas):
            measure = None if measurer is None else measured_by(measurer, route, asked)
            cached = await self._cache.begin(request, model, workspace_id, betas=betas, measure=measure, known=known)
            return cached.use, cached
        if measurer is not None:
            counted = await unless_failed(measurer.count(asked), route)
            input_tokens = input_tokens if counted is None else counted
        if input_tokens is None:
            input_tokens = await count_prompt(request, model, known)
        return CacheUse(input_tokens, 0, 0, 0), None

    async def count(
        self,
        exchange: Exchange,
        request: dict[str, Any],
        route: Route,
        found: Found,
        known: KnownBody | None = None,
    ) -> dict[str, Any]:
        """The answer of count_tokens: the tokens of the prompt that such a request would have."""
        check_built(request, found, self._tools.serves)
        # No engine need take a prompt that ends with a call.
        model, counter = route.model, None if found.waiting else route.counter
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
        request = self._opened(request, found, organization_id, foreign_ok=route.forwards)
        if found.clears_system:
            request = without_cleared(request)
        functions: Sequence[ServerFunction] = ()
        if found.server_tools or found.by_code or request.get("mcp_servers"):
            tools = await self._tools.open(Asked(organization_id, workspace_id, request, exchange.betas, counting=True))
            if tools is not None:
                request, functions = tools.prompted(request), tools.functions
        if found.code_calls:
            request = without_code_calls(request)
        countdown = await self._counted_down(request, route)
        if countdown is not None:
            request = countdown.request

        async def tokens(request: dict[str, Any]) -> int:
            counted = None
            if counter is not None:
                counted = await unless_failed(counter.count(only_counted(request, route, materials, functions)), route)
            return await count_prompt(request, model, known) if counted is None else counted

        management = request.get("context_management")
        if not management or not management.get("edits"):
            return {"input_tokens": await tokens(request)}
        edited = await edit_context(request, model, counter_of(model))
        before = request
        if any(edit["type"] == COMPACT for edit in management["edits"]):
            # Summaries that are there are read; none is written (compaction.md).
            before = uncompacted(request)
        original, left = edited.original_input_tokens, edited.input_tokens
        if counter is not None or before is not request:
            original = await tokens(before)
        if counter is not None:
            left = await tokens(edited.request)
        return {"input_tokens": left, "context_management": {"original_input_tokens": original}}


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

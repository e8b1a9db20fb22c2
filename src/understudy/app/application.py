"""The composition root: builds every object, hands each room its own settings, and assembles the routes."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from understudy.app.advisor import make_advisor
from understudy.app.batch_runner import WhenNeeded, make_runner
from understudy.app.batches import make_batches, queue_limits
from understudy.app.bodies import Bodies
from understudy.app.clouds import cloud_routes
from understudy.app.console import Console
from understudy.app.engines import model_map
from understudy.app.files import make_files
from understudy.app.limits import make_limiter
from understudy.app.organization import make_store
from understudy.app.sandbox import make_containers
from understudy.app.shared import open_ledger, open_redis
from understudy.app.skills import make_skills
from understudy.app.spending import Spending, make_pricing
from understudy.app.tools import make_tools
from understudy.app.web_tools import WebTools
from understudy.batches.endpoints import BatchesEndpoints
from understudy.batches.sweeper import BatchSweeper
from understudy.clouds.openai import chat_routes
from understudy.control.admin_keys import admin_routes
from understudy.control.engines import engine_routes
from understudy.control.limits import LimitsAdmin, limit_admin_routes
from understudy.control.routes import control_routes
from understudy.control.scenarios import connect, scenario_routes
from understudy.documents.reader import PdfReader
from understudy.engines.llamacpp.failures import ModelLoadError
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.parsing import ScenarioError, read_scenario
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.files.endpoints import FilesEndpoints
from understudy.files.sources import FileSources
from understudy.files.sweeper import Sweeper
from understudy.http.envelope import ApiRoute, Envelope, limited
from understudy.limits.watch import OverridesWatch
from understudy.messages.completions import CompletionsEndpoint
from understudy.messages.credit import PURPOSE as CREDIT
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.forwarding import Forwarding
from understudy.messages.preparation import Preparation
from understudy.messages.signatures import PURPOSE, Signer
from understudy.models.endpoints import ModelsEndpoints
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.organization.authenticator import KeyAuthenticator
from understudy.organization.pages import Cursors
from understudy.organization.rate_limits.endpoints import rate_limit_routes
from understudy.organization.rate_limits.service import RateLimits
from understudy.organization.routes import OrganizationRoutes
from understudy.organization.service import Organizations
from understudy.settings import NetSettings, Settings, SettingsError
from understudy.skills.endpoints import SkillsEndpoints
from understudy.skills.sweeper import SkillSweeper
from understudy.storage.database import Database
from understudy.storage.following import Following
from understudy.storage.migrate import migrate
from understudy.storage.secrets import RootSecret, check_root_secret
from understudy.tokens.tokenizer import warm_up
from understudy.tools.advisor.seals import MOST_BYTES as MOST_ADVICE
from understudy.tools.advisor.seals import PURPOSE as ADVICE
from understudy.tools.web.sealed import PURPOSE as WEB_RESULTS
from understudy.tools.web.sealed import Sealed
from understudy.usage.metrics import Metrics
from understudy.usage.recorder import Recorder
from understudy.wire.validation import validator
from understudy.wire.versions import VERSIONS

if TYPE_CHECKING:
    from understudy.batches.runner import Runner

# Seconds in which the database must answer for the server to be ready.
_READY_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Foundations:
    """What the commands share with the server: the database, migrated, and the services on it."""

    db: Database
    root: RootSecret
    organizations: Organizations


async def open_foundations(settings: Settings) -> Foundations:
    """Open the database, bring its tables up to date, and check that the root secret is this installation's.

    Raises SettingsError for what keeps any of this from working.
    """
    db = Database(settings.storage)
    try:
        root = RootSecret.load(settings.security, settings.storage)
        await migrate(db)
        await check_root_secret(db, root)
        organizations = Organizations(db, root)
        await organizations.ensure_installation()
    except BaseException as error:
        await db.dispose()
        if isinstance(error, DBAPIError):
            raise SettingsError(f"The database {db.url} cannot be used: {error.orig}.") from None
        raise
    return Foundations(db, root, organizations)


def _fetcher(settings: NetSettings) -> Fetcher:
    try:
        return Fetcher(Guard(settings.allow))
    except ValueError as error:
        raise SettingsError(f"net.allow: {error}.") from None


def create_app(settings: Settings, scenarios: Scenarios | None = None) -> Envelope:
    """The ASGI application. The database must be migrated; connections are made at its lifespan's start.

    `scenarios` is for those who script answers from within the process.
    """
    scenarios = Scenarios(settings.scenarios.kept_requests) if scenarios is None else scenarios
    if settings.scenarios.file is not None:
        try:
            scenarios.load(read_scenario(settings.scenarios.file))
        except ScenarioError as error:
            raise SettingsError(str(error)) from None
    db = Database(settings.storage)
    root = RootSecret.load(settings.security, settings.storage)
    following = Following(db)
    authenticator = KeyAuthenticator(db, root, following=following)
    simulator = SimulatorEngine(settings.simulator)
    routing, loader, closing = model_map(settings, simulator, lambda engine: ScenarioEngine(engine, scenarios))
    metrics = Metrics(routing.names())
    pricing = make_pricing(settings)
    recorder = Recorder(
        db,
        settings.usage,
        settings.logging,
        metrics=metrics,
        also_write=authenticator.write_last_used,
        pricing=pricing,
    )
    bodies = Bodies(settings, db, recorder)
    documents = settings.documents
    pdfs = PdfReader(processes=documents.pdf_processes, timeout=documents.pdf_timeout, memory=documents.pdf_memory)

    signer = Signer(root.derive_all(PURPOSE))
    files = make_files(settings, db, root)
    sources, sweeper = FileSources(files), Sweeper(db, files)
    skills = make_skills(settings, db, root)
    skill_sweeper = SkillSweeper(db, skills)
    containers = make_containers(settings, db)
    forwarding = Forwarding(signer, settings.stream.ping_interval, sources)
    redis = open_redis(settings.redis)
    ledger = open_ledger(redis, time.time)
    fetcher = _fetcher(settings.net)
    store, cursors = make_store(settings, db, authenticator.clock), Cursors(root)
    organization = OrganizationRoutes(store, cursors, root, fetcher)
    console = Console(
        settings, store, root, authenticator, following, organization.services.invites, cursors, fetcher, pricing
    )
    of_sources = fetcher if settings.net.url_sources else None
    overrides = OverridesWatch(db, following)
    limiter = make_limiter(settings, (model.id for model in routing.models()), overrides, redis)
    sealed = Sealed(root.derive_all(WEB_RESULTS))
    advice = Sealed(root.derive_all(ADVICE), MOST_ADVICE)
    web = WebTools(settings, sealed, fetcher, limiter, pdfs)
    tools = make_tools(
        settings, containers, files, skills, fetcher.guard, sealed, (make_advisor(settings, advice), *web.tools)
    )
    preparation = Preparation(
        signer,
        pdfs=pdfs,
        files=sources,
        fetcher=of_sources,
        clock=time.time,
        ledger=ledger,
        tools=tools,
        sealed=sealed,
        advice=advice,
        credit=Sealed(root.derive_all(CREDIT)),
    )
    spending = Spending(settings, store, root, limiter, overrides, pricing, redis, following)
    messages = MessagesEndpoints(routing, preparation, settings.http, settings.stream, forwarding, spending.limits)

    batches = make_batches(settings, db, files.blobs, authenticator.clock, queue_limits(limiter, overrides))
    batch_sweeper = BatchSweeper(db, batches)

    def batch_runner() -> Runner:
        return make_runner(
            settings,
            db,
            files.blobs,
            routing,
            preparation,
            forwarding,
            spending.batch_limits,
            recorder,
            metrics,
            authenticator.clock,
            messages,
        )

    batches.traffic = messages
    runner = WhenNeeded(batch_runner, following, run=settings.batches.run)
    if settings.batches.run:
        batches.on_changed = runner.wake
    completions = CompletionsEndpoint(routing, settings.http)
    models = ModelsEndpoints(routing)

    async def start() -> None:
        if routing.estimates:
            warm_up()
        for version in VERSIONS:
            validator("messages", version, ())
        await authenticator.start()
        await console.start()
        await overrides.start()
        await spending.start()
        following.start()
        await recorder.start()
        await bodies.start()
        await containers.start()
        sweeper.start()
        skill_sweeper.start()
        batch_sweeper.start()
        try:
            await loader.start()
        except ModelLoadError as error:
            raise SettingsError(str(error)) from None
        runner.start()
        # What is alive now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    async def stop() -> None:
        await runner.stop()
        await pdfs.close()
        await web.close()
        await tools.close()
        await containers.stop()
        await sweeper.stop()
        await skill_sweeper.stop()
        await batch_sweeper.stop()
        await loader.stop()
        for close in closing:
            await close()
        await bodies.stop()
        await recorder.stop()
        await spending.stop()
        await overrides.stop()
        if redis is not None:
            await redis.aclose()
        await authenticator.stop()
        await following.stop()
        await db.dispose()

    async def ready() -> str | None:
        try:
            async with asyncio.timeout(_READY_TIMEOUT), db.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception:
            return "the database does not answer"
        return None

    envelope = Envelope(
        api_routes=[
            ApiRoute("/v1/messages", "POST", messages.create, any_betas=routing.forwards),
            ApiRoute("/v1/messages/count_tokens", "POST", messages.count_tokens, any_betas=routing.forwards),
            ApiRoute("/v1/models", "GET", models.list, limited="models"),
            # Configured names may hold a slash.
            ApiRoute("/v1/models/{model_id:path}", "GET", models.retrieve, limited="models"),
            ApiRoute("/v1/complete", "POST", completions.create),
            *FilesEndpoints(files, limiter).routes(),
            *limited("batch", BatchesEndpoints(batches).routes()),
            *limited("skills", SkillsEndpoints(skills).routes()),
            *limited("admin", organization.api_routes()),
            *limited("admin", rate_limit_routes(RateLimits(store, cursors, limiter, overrides))),
            *limited("admin", spending.api_routes()),
            *chat_routes(routing, messages.create, settings.http, settings.stream),
        ],
        other_routes=[
            *control_routes(metrics, ready),
            *organization.other_routes(),
            *spending.other_routes(console.caller, bodies.kept),
            *admin_routes(organization.services, console.caller),
            *limit_admin_routes(LimitsAdmin(store, cursors, limiter, overrides), console.caller),
            *scenario_routes(scenarios, authenticator, store, settings.server.workers),
            *engine_routes(routing, loader, console.caller, store, settings.server.workers),
            *console.other_routes(),
        ],
        authenticator=authenticator,
        request_log=bodies.log,
        start=start,
        stop=stop,
        limits=limiter,
        flavours=lambda own: {
            **cloud_routes(own, settings, routing, messages, authenticator, fetcher),
            **console.flavours(own),
        },
    )
    connect(envelope, scenarios, bodies.watch)
    return envelope

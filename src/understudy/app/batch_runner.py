"""What works batches off, from the settings."""

from __future__ import annotations

from collections.abc import Callable

from understudy.batches.leases import DatabaseLeases
from understudy.batches.runner import Runner, RunnerConfig, Traffic
from understudy.engines.routing import Routing
from understudy.limits.batch_admission import BatchLimits
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.forwarding import Forwarding
from understudy.messages.preparation import Preparation
from understudy.settings import Settings
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.usage.metrics import Metrics
from understudy.usage.recorder import Recorder


def make_runner(
    settings: Settings,
    db: Database,
    blobs: Blobs,
    routing: Routing,
    preparation: Preparation,
    forwarding: Forwarding,
    limits: BatchLimits,
    recorder: Recorder,
    metrics: Metrics,
    clock: Callable[[], float],
    traffic: Traffic,
) -> Runner:
    """Requests of batches go the way of all others, and meet the limits of batches on it."""
    given = settings.batches
    endpoints = MessagesEndpoints(routing, preparation, settings.http, settings.stream, forwarding, limits)
    config = RunnerConfig(
        concurrency=given.concurrency,
        lease=given.lease,
        heartbeat=min(given.heartbeat, given.lease / 3),
        poll_interval=given.poll_interval,
        retry_delay=given.retry_delay,
        longest_retry_delay=max(given.longest_retry_delay, given.retry_delay),
    )
    return Runner(
        db,
        blobs,
        DatabaseLeases(db),
        endpoints,
        recorder,
        config,
        clock=clock,
        traffic=traffic,
        observer=metrics,
    )

"""Who made a batch, as a row keeps it: what running its requests takes, and nothing beyond."""

from __future__ import annotations

from typing import Any, cast

import orjson

from understudy.batches.batch import Batch
from understudy.http.principal import Principal, WorkspaceGrant


def caller_text(principal: Principal) -> str:
    """JSON of a caller. What it may do to the organization does not stand in it."""
    grant = principal.grant
    geos = grant.allowed_inference_geos
    return orjson.dumps(
        {
            "kind": principal.kind,
            "actor_id": principal.actor_id,
            "role": grant.role,
            "default_inference_geo": grant.default_inference_geo,
            "allowed_inference_geos": None if geos is None else list(geos),
            "scopes": sorted(principal.scopes),
        }
    ).decode()


def caller_of(batch: Batch) -> Principal:
    """The caller of a batch's requests: who made it, with the grant of that moment."""
    kept = cast("dict[str, Any]", orjson.loads(batch.caller))
    geos: list[str] | None = kept["allowed_inference_geos"]
    return Principal(
        batch.organization_id,
        batch.workspace_id,
        batch.api_key_id,
        kind=kept["kind"],
        actor_id=kept["actor_id"],
        grant=WorkspaceGrant(kept["role"], kept["default_inference_geo"], None if geos is None else tuple(geos)),
        scopes=frozenset(kept["scopes"]),
    )

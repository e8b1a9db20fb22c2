"""Where a request's inference runs: as it asks, as its workspace allows, and by default as its workspace says.

Source: the guide on data residency (2026-08). Nothing here runs anywhere else for it: the place is told to upstreams,
stands in `usage`, and has its price.
"""

from __future__ import annotations

from typing import Any

from understudy.engines.catalog import Model
from understudy.http.principal import WorkspaceGrant
from understudy.wire.errors import InvalidRequestError


def placed(request: dict[str, Any], model: Model, grant: WorkspaceGrant) -> dict[str, Any]:
    """`request`, with the workspace's place where it names none. Models that know no places are left alone.

    Raises InvalidRequestError for a place that the workspace does not allow.
    """
    if not model.inference_geo:
        return request
    asked, allowed = request.get("inference_geo"), grant.allowed_inference_geos
    if asked is None:
        default = grant.default_inference_geo
        return request if default == "global" else {**request, "inference_geo": default}
    if allowed is not None and asked not in allowed:
        # Documented as an error; its words were not seen [guess].
        raise InvalidRequestError(
            f"inference_geo: {str(asked)[:100]!r} is not allowed in this workspace. Allowed: {', '.join(allowed)}"
        )
    return request

"""Paths as labels of metrics: a route with its ids left open, one of few whatever clients ask for."""

from __future__ import annotations

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Routes whose path is fixed.
_EXACT = frozenset(
    {
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/hello",
        "/console",
        "/v1/chat/completions",
        "/v1/complete",
        "/v1/files",
        "/v1/messages",
        "/v1/messages/batches",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/skills",
    }
)

# Where a path begins, and the class of all that lie below; the first that fits counts.
_BELOW = (
    ("/v1/messages/batches/", "/v1/messages/batches/{message_batch_id}"),
    ("/v1/models/", "/v1/models/{model_id}"),
    ("/v1/files/", "/v1/files/{file_id}"),
    ("/v1/skills/", "/v1/skills/{skill_id}"),
    ("/v1/organizations/", "/v1/organizations"),
    ("/bedrock/", "/bedrock"),
    ("/vertex/", "/vertex"),
    ("/foundry/", "/foundry"),
    ("/aws/", "/aws"),
    ("/_understudy/", "/_understudy"),
    ("/console/", "/console"),
)


def route_class(path: str) -> str:
    """The class of `path`, `other` when it is no route's."""
    if path in _EXACT:
        return path
    for beginning, name in _BELOW:
        if path.startswith(beginning):
            return name
    return "other"

"""Claude upstreams: servers of the same API, to which bytes are passed through, or turns where they cannot be."""

from .body import with_model
from .engine import ClaudeEngine
from .errors import BadGatewayError, GatewayTimeoutError, error_answer
from .observing import Iteration, Observed
from .reading import EventReader
from .responses import Response, Upstream
from .settings import ClaudeSettings
from .thinking import going_on_without
from .upstream import ClaudeUpstream

__all__ = [
    "BadGatewayError",
    "ClaudeEngine",
    "ClaudeSettings",
    "ClaudeUpstream",
    "EventReader",
    "GatewayTimeoutError",
    "Iteration",
    "Observed",
    "Response",
    "Upstream",
    "error_answer",
    "going_on_without",
    "with_model",
]

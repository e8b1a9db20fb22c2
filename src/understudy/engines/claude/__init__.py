"""Claude upstreams: servers of the same API, to which bytes are passed through."""

from .body import with_model
from .errors import BadGatewayError, GatewayTimeoutError, error_answer
from .observing import Observed
from .reading import EventReader
from .settings import ClaudeSettings
from .upstream import ClaudeUpstream, Response

__all__ = [
    "BadGatewayError",
    "ClaudeSettings",
    "ClaudeUpstream",
    "EventReader",
    "GatewayTimeoutError",
    "Observed",
    "Response",
    "error_answer",
    "with_model",
]

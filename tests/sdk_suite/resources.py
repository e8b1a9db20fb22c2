"""Every resource whose tests of the SDK run here. One that is added is a row, and a file where the row is long."""

from __future__ import annotations

from .batches import BATCHES
from .files import FILES
from .messages import MESSAGES
from .organization import ORGANIZATION
from .rate_limits import RATE_LIMITS, WORKSPACE_RATE_LIMITS
from .reports import REPORTS
from .skills import SKILLS
from .table import DROP, Resource, Rewrite

MODELS = Resource(
    name="models",
    files=("tests/api_resources/test_models.py", "tests/api_resources/beta/test_models.py"),
    routes=(("GET", "/v1/models"), ("GET", "/v1/models/{model_id}")),
    rewrites=(
        Rewrite("path", "model_id", "model_id", "claude-opus-5-5", "a model that there is"),
        Rewrite("query", "after_id", "after_id", DROP, "one cursor at a time, and of a model that there is"),
        Rewrite("query", "before_id", "before_id", "claude-opus-5", "a model that there is"),
    ),
)

RESOURCES = (BATCHES, FILES, MESSAGES, MODELS, *ORGANIZATION, RATE_LIMITS, WORKSPACE_RATE_LIMITS, *REPORTS, SKILLS)

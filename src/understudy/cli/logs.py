"""Logs: one JSON object a line on stderr, from our own code and from the libraries alike."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog

from understudy.settings import LoggingSettings


def _render(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logging(settings: LoggingSettings) -> None:
    """Send structlog and the standard library's logging to stderr, at the configured level."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = settings.level.upper()
    root.setLevel(level)
    # Libraries' news of every step is for debugging them.
    for name in ("uvicorn", "uvicorn.error", "asyncio", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel("WARNING" if level == "INFO" else level)
    # Its news hold the values that are written, hints of keys among them.
    logging.getLogger("aiosqlite").setLevel("WARNING")

"""The advisor tool, from its settings."""

from __future__ import annotations

from understudy.app.web_tools import LazyTool
from understudy.settings import Settings
from understudy.tools.protocol import ServerTool
from understudy.tools.web.sealed import Sealed


def make_advisor(settings: Settings, advice: Sealed) -> ServerTool:
    """`advice` seals what clients cannot read."""

    def make() -> ServerTool:
        from understudy.tools.advisor.session import Advisor

        return Advisor(advice, settings.advisor.timeout)

    return LazyTool("advisor_", make)

"""The server tools, from their settings."""

from __future__ import annotations

import time
from collections.abc import Sequence

from understudy.files.service import FileService
from understudy.net.guard import Guard
from understudy.sandbox.interface import Containers
from understudy.settings import Settings
from understudy.tools.code_execution.session import CodeExecution, Limits
from understudy.tools.code_execution.skills import Skills
from understudy.tools.mcp.session import MCPConnector
from understudy.tools.programmatic.lot import Lot
from understudy.tools.protocol import ServerTool
from understudy.tools.running import ServerTools
from understudy.tools.web.sealed import Sealed


def make_tools(
    settings: Settings,
    containers: Containers,
    files: FileService,
    skills: Skills,
    guard: Guard,
    sealed: Sealed,
    others: Sequence[ServerTool] = (),
) -> ServerTools:
    """`others` come last: tool search among them finds what servers of MCP bring."""
    of_code = settings.code_execution
    limits = Limits(of_code.timeout, of_code.max_output)
    # Any process of several may be sent the results that code waits for: there it is run again with them.
    waiting = settings.sandbox.max_running // 2 if settings.server.workers == 1 else 0
    code_execution = CodeExecution(containers, files, skills, limits, sealed, Lot(containers, waiting))
    of_mcp = settings.mcp
    # Before tool search, which finds what servers bring too.
    connector = MCPConnector(
        guard,
        listing_timeout=of_mcp.listing_timeout,
        call_timeout=of_mcp.call_timeout,
        most_size=of_mcp.max_size,
        most_result=of_mcp.max_result,
        listing_lifetime=of_mcp.listing_lifetime,
        clock=time.monotonic,
    )
    return ServerTools([code_execution, connector, *others], [code_execution.close])

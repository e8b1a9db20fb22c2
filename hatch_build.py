"""The hook of hatch that builds the Console for wheels and source distributions."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleHook(BuildHookInterface[Any]):
    """Fails where the Console cannot be built: a wheel without it would look whole."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # What is installed in place is built by `make console`; its server says so on the page until then.
        if version == "editable":
            return
        console = runpy.run_path(str(Path(self.root) / "console" / "build.py"))
        console["build"]()
        if not console["is_built"]():
            raise RuntimeError(f"there is no {console['STATIC'] / 'index.html'} after building the Console")

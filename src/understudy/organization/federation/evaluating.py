"""A process of its own that judges one CEL expression: what takes too long, too much or too deep ends with it.

Run with the directory of the package `cel`, and on standard input `{"condition", "claims"}`. Says on standard output
what the expression evaluates to, and without claims what it is made of; nothing where it is no expression. Imports
nothing else of ours, nor the package's own `__init__`, which brings a terminal with it.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from typing import Any

_MOST_MEMORY = 1 << 30


def main() -> None:
    try:
        import resource
    except ImportError:
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    package = types.ModuleType("cel")
    package.__path__ = [sys.argv[1]]
    sys.modules["cel"] = package
    library: Any = importlib.import_module("cel.cel")
    asked = json.load(sys.stdin)
    claims = asked["claims"]
    program = library.compile(asked["condition"])
    said: dict[str, Any] = {}
    if claims is None:
        said = {"variables": program.variables(), "functions": program.functions()}
    try:
        value = program.execute({} if claims is None else {"claims": claims})
    except Exception:
        # It raises what it likes: KeyError for a claim that is not there, TypeError, RuntimeError.
        value = None
    json.dump({**said, "is_true": value is True}, sys.stdout)


if __name__ == "__main__":
    main()

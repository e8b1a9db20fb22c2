"""Command lines, as one types them into a shell."""

from __future__ import annotations

from understudy.engines.simulator.choosing.gated import Gated

_COMMAND_LINE = Gated(
    r"^(?:please )?(?:(?:run|execute|try|do)(?: the)?(?: command)?:? )?[`'\"]?(?:ls|cat|echo|pwd|git|npm|npx"
    r"|pip3?|make|docker|curl"
    r"|wget|grep|rg|cd|mkdir|rm|mv|cp|python3?|node|pytest|cargo|go (?:run|build|test|mod)|uname|whoami|ps|df|du"
    r"|chmod|chown"
    r"|touch|head|tail|wc|tree|kubectl|terraform|yarn|pnpm|uv|ruff|tsc|ssh|sed|awk|find \.|date|env|which|sudo"
    r"|apt|brew)"
    r"(?:[`'\"]?$| [\w`.~/*$'\"-])"
)
_MARKED = Gated(r"^(?:please )?(?:run|execute) (?:the command )?[`'\"]")


def is_command(text: str, first: str | None = None) -> bool:
    """Whether a text is a command line itself, or says to run one that it shows. `first` is its first word."""
    return bool(_MARKED.match(text, first) or (_COMMAND_LINE.match(text, first) and not text.rstrip().endswith("?")))

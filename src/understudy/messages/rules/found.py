"""What one pass over a request found: the first fault of each stage, and what later rules ask about.

The service reports faults by stage, not by place, and looks at the blocks in several stages. So the pass keeps the
first fault of each, and `check_request` raises them in order, with the rules that look at no block between them.
"""

from __future__ import annotations

from typing import Any, Final

# Ranks of faults in the shape of the conversation, in the order in which the service reports them.
UNSUPPORTED_SYSTEM, SYSTEM_KINDS, SYSTEM_EMPTY, SYSTEM_FIRST, SYSTEM_PLACE, EMPTY_TURN, WRONG_ROLE = range(7)

# Beginnings of the types of tools that the service itself runs.
SERVER_TOOLS: Final = (
    "advisor_",
    "code_execution_",
    "mcp_toolset",
    "tool_search_tool_",
    "web_fetch_",
    "web_search_",
)


_GROWING: Final = frozenset({dict, list, set})


class Found:
    """Attributes of the class are the defaults: a request with nothing special costs no more than one object."""

    # Faults.
    shape: str | None = None
    shape_rank: int = WRONG_ROLE + 1
    tool: str | None = None
    block: str | None = None
    text: str | None = None
    ttl: str | None = None
    pairing: str | None = None

    # Breakpoints of the prompt cache, and whether one of five minutes was among them.
    breakpoints: int = 0
    five_minutes: bool = False

    # Tools. `unlisted_tools`: a toolset brings tools whose names are not in the request.
    tool_names: set[str] | None = None
    unlisted_tools: bool = False
    runs_code: bool = False
    strict_tools: int = 0
    schemas: list[tuple[str, dict[str, Any]]] | None = None
    references: list[str] | None = None
    # A change of the tools that names one which there is not.
    unresolved: str | None = None

    # Programmatic tool calling: names of tools that code may call, of those that it alone may call, and of those that
    # say so themselves. `code_calls`: ids of calls that code has made; `code_cells`: of the calls of code execution
    # whose code that was.
    by_code: set[str] | None = None
    only_by_code: set[str] | None = None
    asked_by_code: set[str] | None = None
    code_calls: set[str] | None = None
    code_cells: set[str] | None = None

    # Media and citations.
    images: int = 0
    wide_image: str | None = None
    documents_with_citations: int = 0
    documents: int = 0
    results_with_citations: int = 0
    results: int = 0
    # Pages that were fetched, and results of web searches.
    web_pages: int = 0
    web_results: bool = False
    # Advice that the client cannot read.
    sealed_advice: bool = False

    # What the service itself runs: where each such tool stands, and its type. Where a file goes into a container.
    server_tools: list[tuple[str, str]] | None = None
    container_upload: str | None = None

    # Whether there is a summary of what came before.
    summaries: bool = False

    # Whether the history holds thinking, readable or not.
    thinking: bool = False

    # Server tools: ids that were used, and those still without a result with the message and the name.
    server_uses: set[str] | None = None
    waiting: dict[str, tuple[int, str]] | None = None

    # The end of the conversation: the role of the last turn, its first message, and whether it has any content.
    last_role: str = ""
    last_start: int = 0
    last_empty: bool = True
    ends_with_system: bool = False
    efforts: list[tuple[int, str]] | None = None
    # Whether a system message is shown for one user turn only.
    clears_system: bool = False

    @property
    def media(self) -> int:
        """How many blocks hold something to be read."""
        return self.images + self.documents + self.results + self.web_pages

    def kept(self) -> dict[str, Any]:
        """What was found so far, for `resume`."""
        return {name: value.copy() if value.__class__ in _GROWING else value for name, value in vars(self).items()}

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on from what another pass had found."""
        for name, value in kept.items():
            setattr(self, name, value.copy() if value.__class__ in _GROWING else value)

    def called_by_code(self, tool_id: str, cell: str) -> None:
        """Note a call that the code of a call of code execution has made."""
        if self.code_calls is None or self.code_cells is None:
            self.code_calls, self.code_cells = set(), set()
        self.code_calls.add(tool_id)
        self.code_cells.add(cell)

    def wrong_shape(self, rank: int, text: str) -> None:
        if rank < self.shape_rank:
            self.shape, self.shape_rank = text, rank

    def wrong_block(self, text: str) -> None:
        if self.block is None:
            self.block = text

    def wrong_pairing(self, text: str) -> None:
        if self.pairing is None:
            self.pairing = text

    def breakpoint(self, path: str, cache_control: dict[str, Any]) -> None:
        """Count a cache_control at `path`. To be called in the order of the prompt: tools, system, messages."""
        self.breakpoints += 1
        if cache_control.get("ttl") != "1h":
            self.five_minutes = True
        elif self.five_minutes and self.ttl is None:
            self.ttl = (
                f"{path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`."
            )

    def empty_text(self, field: str, path: str, cache_control: object) -> None:
        """A text block without text, in `system` or `messages`."""
        if cache_control is not None:
            self.wrong_block(f"{path}: cache_control cannot be set for empty text blocks")
        if self.text is None:
            self.text = f"{field}: text content blocks must be non-empty"

    def blank_text(self, field: str) -> None:
        """A text of white space alone, on a model that does not take it."""
        if self.text is None:
            self.text = f"{field}: text content blocks must contain non-whitespace text"

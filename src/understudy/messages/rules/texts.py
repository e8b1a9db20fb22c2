"""Texts with an address of the documentation in them.

The address changed its host over the years; each is printed as it was last observed beside its text.
"""

from __future__ import annotations

from typing import Final

# Observed on models with extended thinking alone (2026-07), and on models with both kinds (2026-08).
_EXTENDED_THINKING_2025: Final = (
    " Please consult our documentation at https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking"
    "#important-considerations-when-using-extended-thinking"
)
_EXTENDED_THINKING_2026: Final = (
    " Please consult our documentation at https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
)

TEMPERATURE_WITH_THINKING: Final = (
    "`temperature` may only be set to 1 when thinking is enabled." + _EXTENDED_THINKING_2025,
    "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode." + _EXTENDED_THINKING_2026,
)
# The first sentence of these two was observed; that the same address follows is a guess.
TOP_P_WITH_THINKING: Final = (
    "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled." + _EXTENDED_THINKING_2025,
    "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode."
    + _EXTENDED_THINKING_2026,
)
TOP_K_WITH_THINKING: Final = (
    "`top_k` must be unset when thinking is enabled." + _EXTENDED_THINKING_2025,
    "`top_k` must be unset when thinking is enabled or in adaptive mode." + _EXTENDED_THINKING_2026,
)

BUDGET_OVER_MAX_TOKENS: Final = (
    "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
    "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
)

FIRST_BLOCK_NOT_THINKING: Final = (
    # "preceeding" and "lastmost" are the service's own.
    "Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` "
    "message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We "
    "recommend you include thinking blocks from previous turns. To avoid this requirement, disable `thinking`. Please "
    "consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
)

"""How Claude's tokenizers and eyes differ from what is counted here, by generation of models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class TokenCosts:
    """`text_percent`: tokens of a text for each 100 of `o200k_base`.

    `thinking_prompt`: tokens of the service's own prompt that comes with thinking of type enabled. `image_edge`,
    `image_tokens`: pixels of the longer side, and tokens, above which a picture is scaled down.
    """

    text_percent: int
    thinking_prompt: int
    image_edge: int
    image_tokens: int


# Percents are medians over 600 recorded exchanges (2024-01 to 2026-10), and agree with "approximately 30 percent more
# tokens" from Opus 4.7 on (token-counting.md, 2026-10). The thinking prompt was seen on Claude 4 to 4.6. Pictures:
# vision.md, 2026-10; that all of Claude 5 see as finely as Opus since 4.7 is a guess.
_TO_4_6: Final = TokenCosts(text_percent=110, thinking_prompt=29, image_edge=1568, image_tokens=1568)
_FROM_4_7: Final = TokenCosts(text_percent=142, thinking_prompt=0, image_edge=2576, image_tokens=4784)

# How ids of the older generation begin; Opus 4.7 and 4.8 alone of Claude 4 belong to the newer one.
_OLDER: Final = (
    "claude-2",
    "claude-3-",
    "claude-haiku-4-",
    "claude-sonnet-4-",
    "claude-opus-4-2025",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-6",
)


@lru_cache(maxsize=1024)
def costs_of(model: str) -> TokenCosts:
    """The costs of the model with this id; those of the newest generation for an unknown one."""
    return _TO_4_6 if model.startswith(_OLDER) else _FROM_4_7

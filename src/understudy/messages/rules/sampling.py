"""temperature, top_p and top_k, which only the older version of the API has: what each model takes of them."""

from __future__ import annotations

from typing import Any, Final

from understudy.engines.catalog import Model

from .texts import TEMPERATURE_WITH_THINKING, TOP_K_WITH_THINKING, TOP_P_WITH_THINKING

_LOWEST_TOP_P: Final = 0.95
# What stands for "not given": temperature 1 is documented, top_k -1 was accepted by a model without sampling. top_p was
# refused there even as 1.
_NO_TOP_K: Final = -1


def sampling_fault(request: dict[str, Any], model: Model) -> str | None:
    temperature, top_p, top_k = request.get("temperature"), request.get("top_p"), request.get("top_k")
    if model.sampling == "deprecated":
        if temperature is not None and temperature != 1:
            return "`temperature` is deprecated for this model."
        if top_p is not None:
            return "`top_p` is deprecated for this model."
        if top_k is not None and top_k != _NO_TOP_K:
            return "`top_k` is deprecated for this model."
        return None
    thinking = request.get("thinking")
    if thinking and thinking["type"] in {"enabled", "adaptive"}:
        newer = "adaptive" in model.capabilities.thinking
        if temperature is not None and temperature != 1:
            return TEMPERATURE_WITH_THINKING[newer]
        if top_p is not None and top_p < _LOWEST_TOP_P:
            return TOP_P_WITH_THINKING[newer]
        if top_k is not None and top_k != _NO_TOP_K:
            return TOP_K_WITH_THINKING[newer]
    if model.sampling == "exclusive" and temperature is not None and top_p is not None:
        return "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    return None

"""What Bedrock calls a model.

Source: "Cross-region inference" of Bedrock's user guide; the pages about Bedrock of the Claude documentation (2026-11).
"""

from __future__ import annotations

import re
from typing import Final

from understudy.engines.catalog import public_models

# The area of the inference profiles that a region's requests go to; newer models have no other way.
_AREAS: Final = (("us-gov-", "us-gov"), ("us-", "us"), ("eu-", "eu"), ("ap-", "apac"))
_ELSEWHERE: Final = "global"
_AREA: Final = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|global)\.(?=anthropic\.)")
_VERSIONED: Final = re.compile(r"-v\d+(?:[:-]\d+)?(?::\w+)?$")

_IDS: Final = {
    name: model.bedrock_id for model in public_models() if model.bedrock_id for name in (model.id, *model.aliases)
}


def bedrock_name(model: str, region: str, area: str | None) -> str:
    """The id for the path. The name of a public model becomes that of its inference profile; anything else, such as an
    id of Bedrock's own or an ARN, is one already. `area`: as BedrockSettings.inference_profile."""
    id_ = _IDS.get(model)
    if id_ is None:
        return model
    if area is None:
        area = next((found for start, found in _AREAS if region.startswith(start)), _ELSEWHERE)
    return f"{area}.{id_}" if area else id_


def counted_name(name: str) -> str:
    """The id for CountTokens, which takes no inference profile but the model itself."""
    return _AREA.sub("", name)


def stays_in_us(name: str, region: str) -> bool:
    """Whether the model's inference is known to run in the United States."""
    if name.startswith(("us.", "us-gov.")):
        return True
    return region.startswith("us-") and name.startswith("anthropic.")


def is_versioned(name: str) -> bool:
    """Whether the id has a version of Bedrock's own: these models know only the API's first version."""
    return _VERSIONED.search(name) is not None

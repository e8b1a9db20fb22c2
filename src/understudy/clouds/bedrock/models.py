"""What Bedrock calls a model, and which one that is here.

Source: "Supported foundation models" and "Cross-region inference" of Bedrock's user guide; the models pages of the
Claude documentation (2026-08).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from understudy.engines.catalog import public_models
from understudy.engines.routing import Routing
from understudy.wire.errors import InvalidRequestError

# The id of a model, or of an inference profile: an area, the provider, the model, and versions of Bedrock's own.
_ID: Final = re.compile(r"(?:(?P<area>us-gov|us|eu|apac|jp|au|ca|global)\.)?anthropic\.(?P<model>claude-[a-z0-9.-]+?)"
                        r"(?:-v\d+(?:[:-]\d+)?(?::\w+)?)?")  # fmt: skip
_ARN: Final = re.compile(
    r"arn:aws(?:-[a-z]+)*:bedrock:(?P<region>[a-z0-9-]*):\d{0,12}:"
    r"(?:foundation-model|inference-profile|application-inference-profile|provisioned-model|custom-model-deployment|"
    r"prompt-router|default-prompt-router)/(?P<id>[A-Za-z0-9._:-]+)"
)
_ALLOWED: Final = re.compile(r"[A-Za-z0-9._:/@-]{1,2048}")

# Where requests to an inference profile of an area may come from: regions that begin so. `global`: all.
AREAS: Final = {
    "us": ("us-east-", "us-west-", "ca-"),
    "eu": ("eu-",),
    "apac": ("ap-",),
    "jp": ("ap-northeast-",),
    "au": ("ap-southeast-",),
    "ca": ("ca-",),
    "us-gov": ("us-gov-",),
}

_VERSIONED: Final = re.compile(r"-v\d+(?:[:-]\d+)?(?::\w+)?$")


def invalid_model() -> InvalidRequestError:
    return InvalidRequestError("The provided model identifier is invalid.")


def name_in_path(raw: bytes) -> str:
    """The model's id from the path as it was sent. Raises InvalidRequestError for what cannot be one: nothing, `.` and
    `..`, and what others would cut at a `;`."""
    name = unquote(raw.decode("latin-1"), errors="replace")
    if _ALLOWED.fullmatch(name) is None or any(part in ("", ".", "..") for part in name.split("/")):
        raise invalid_model()
    return name


class BedrockModels:
    """Names that are mapped here go where the map says; Bedrock's own lead to the catalog's models. The first-party ids
    of public models are none on Bedrock, unless they are mapped."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self._first_party = {name for model in public_models() for name in (model.id, *model.aliases)}

    def resolve(self, name: str, region: str | None) -> str:
        """The name of the model here. `region`: that of the request's signature, if there is one. InvalidRequestError
        for a name that is none, and for one of another region."""
        found = self._ours(name)
        if found is not None:
            return found
        arn = _ARN.fullmatch(name)
        if arn is not None:
            if region and arn["region"] not in ("", region):
                raise invalid_model()
            name = arn["id"]
            found = self._ours(name)
            if found is not None:
                return found
        id_ = _ID.fullmatch(name)
        if id_ is None:
            raise invalid_model()
        area = id_["area"]
        if region and area and area in AREAS and not region.startswith(AREAS[area]):
            raise invalid_model()
        if self._routing.find(id_["model"]) is None:
            raise invalid_model()
        return id_["model"]

    def _ours(self, name: str) -> str | None:
        if name in self._first_party and all(one.name != name for one in self._routing.mapped):
            return None
        # Whatever `*` takes, a name of Bedrock's own is the public model that it is of, and an ARN names another.
        is_bedrocks = _ID.fullmatch(name) is not None or _ARN.fullmatch(name) is not None
        if is_bedrocks and all(one.name != name for one in self._routing.mapped):
            return None
        return name if self._routing.find(name) is not None else None


def is_profile(name: str) -> bool:
    """Whether a name is that of an inference profile."""
    found = _ID.fullmatch(name)
    return (found is not None and found["area"] is not None) or ":inference-profile/" in name


def is_versioned(name: str) -> bool:
    """Whether the id has a version of Bedrock's own, as those of models up to Claude Opus 4.6 do."""
    return _VERSIONED.search(name) is not None

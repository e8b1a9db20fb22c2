"""What Vertex AI calls a model, and which one that is here.

Source: the models pages of the Claude documentation and of Google's (2026-08): a date stands behind an `@`.
"""

from __future__ import annotations

import re
from typing import Final

from understudy.engines.catalog import public_models
from understudy.engines.routing import Routing
from understudy.wire.errors import NotFoundError

_DATED: Final = re.compile(r"(?P<model>claude-[a-z0-9-]+?)(?:-v\d)?@(?P<version>\d{8}|default|latest)")
_FIRST_PARTY_DATE: Final = re.compile(r"-\d{8}$|-latest$")
_NAME: Final = re.compile(r"[A-Za-z0-9._:@+-]{1,256}")


class VertexModels:
    """Names that are mapped here go where the map says; Vertex's own lead to the catalog's models."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        names = (name for model in public_models() for name in (model.id, *model.aliases))
        self._not_here = {name for name in names if _FIRST_PARTY_DATE.search(name)}

    def resolve(self, name: str, project: str, location: str) -> str:
        """The name of the model here. NotFoundError, in Google's words, for one that is none there."""
        mapped = any(one.name == name for one in self._routing.mapped)
        found = name
        dated = _DATED.fullmatch(name)
        if dated is not None and not mapped:
            found = dated["model"] if dated["version"].isalpha() else f"{dated['model']}-{dated['version']}"
        elif name in self._not_here and not mapped:
            found = ""
        if name in (".", "..") or not _NAME.fullmatch(name) or not found or self._routing.find(found) is None:
            shown = name if _NAME.fullmatch(name) else ""
            raise NotFoundError(
                f"Publisher Model `projects/{project}/locations/{location}/publishers/anthropic/models/{shown}` was "
                "not found or your project does not have access to it. Please ensure you are using a valid model "
                "version. For more information, see: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
            )
        return found

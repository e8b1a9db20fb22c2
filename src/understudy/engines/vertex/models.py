"""What Vertex AI calls a model: a date stands behind an `@`.

Source: the models pages of the documentation (2026-11).
"""

from __future__ import annotations

from typing import Final

from understudy.engines.catalog import public_models

_IDS: Final = {
    name: model.vertex_id for model in public_models() if model.vertex_id for name in (model.id, *model.aliases)
}


def vertex_name(model: str) -> str:
    """The id for the path. Anything but the name of a public model is one already."""
    return _IDS.get(model, model)

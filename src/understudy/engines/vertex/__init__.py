"""Claude on Google Cloud's Vertex AI as an upstream: rawPredict, streamRawPredict and count-tokens.

Source: the official SDK's client (2.12.0), the pages about Google Cloud of the documentation (2026-11), Google's error
model (google.rpc.Status). `clouds/vertex` serves the same.
"""

from .settings import VertexSettings
from .upstream import VertexUpstream

__all__ = ["VertexSettings", "VertexUpstream"]

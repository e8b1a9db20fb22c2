"""Claude as Google Cloud has it: rawPredict, streamRawPredict and count-tokens under `/vertex/v1/projects/…`.

Source: the official SDK's client (2.12.0), the page "Claude on Google Cloud" of the documentation (2026-08), Google's
error model (google.rpc.Status).
"""

from .routes import vertex_routes

__all__ = ["vertex_routes"]

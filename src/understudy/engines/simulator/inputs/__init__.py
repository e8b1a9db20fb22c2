"""Tool inputs and structured outputs: instances of JSON Schemas whose values come from the words of the request."""

from .build import build_input, build_output

__all__ = ["build_input", "build_output"]

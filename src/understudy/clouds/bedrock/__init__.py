"""Claude as Bedrock has it: InvokeModel, InvokeModelWithResponseStream and CountTokens under `/bedrock/model/…`, and
the newer endpoint with the Messages API's own paths under `/bedrock/anthropic`.

Source: Bedrock's API reference, the official SDK's clients (2.12.0), the pages "Claude in Amazon Bedrock" of the
documentation (2026-08), recorded exchanges.
"""

from .routes import bedrock_routes

__all__ = ["bedrock_routes"]

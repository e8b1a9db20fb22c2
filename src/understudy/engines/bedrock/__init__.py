"""Claude on Amazon Bedrock as an upstream: InvokeModel, InvokeModelWithResponseStream and CountTokens.

Source: Bedrock's API reference, recorded exchanges (2024 to 2026), botocore 1.44. `clouds/bedrock` serves the same.
"""

from .settings import BedrockSettings, key_of_environment, region_of_environment
from .upstream import BedrockUpstream

__all__ = ["BedrockSettings", "BedrockUpstream", "key_of_environment", "region_of_environment"]

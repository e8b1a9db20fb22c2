"""Claude as Microsoft Foundry has it: the Messages API under `/foundry/anthropic`, with Azure's keys and headers.

Source: the official SDK's client (2.12.0), the page "Claude in Microsoft Foundry" of the documentation (2026-08).
"""

from .routes import foundry_routes

__all__ = ["foundry_routes"]

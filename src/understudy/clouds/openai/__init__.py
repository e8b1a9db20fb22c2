"""POST /v1/chat/completions: the Messages API as the OpenAI SDKs speak to it.

Source: the page "OpenAI SDK compatibility" of the documentation (2026-08-13). What it calls ignored is ignored here,
but for two things: `response_format` of type json_schema is carried out, and `user` becomes `metadata.user_id`.
"""

from .endpoint import PATH, chat_routes

__all__ = ["PATH", "chat_routes"]

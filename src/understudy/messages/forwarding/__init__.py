"""Requests that a Claude upstream answers: bytes pass through both ways."""

from .forwarding import Forwarding
from .requests import Endpoint, check_forwarded

__all__ = ["Endpoint", "Forwarding", "check_forwarded"]

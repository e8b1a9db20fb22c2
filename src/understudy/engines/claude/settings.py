"""How a Claude upstream is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Auth: TypeAlias = Literal["x-api-key", "bearer"]


@dataclass(frozen=True, slots=True)
class ClaudeSettings:
    """`base_url` is what an official SDK takes for its own: `/v1/messages` is added to it.

    Timeouts are seconds: until a connection stands, until the first byte of an answer (of a stream: its first event),
    and without any byte after that. `api_key` is sent under the header that `auth` names; None sends none.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    auth: Auth = "x-api-key"
    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 300.0

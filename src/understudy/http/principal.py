"""Who is calling. `organization` implements the Authenticator; `app` plugs it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller behind a credential that was accepted.

    `organization_id` is a UUID, `workspace_id` a `wrkspc_…` id (None for admin keys), `api_key_id` an `apikey_…` id.
    """

    organization_id: str
    workspace_id: str | None
    api_key_id: str | None
    kind: Literal["api", "admin"] = "api"


class Authenticator(Protocol):
    async def authenticate(self, secret: str) -> Principal | None:
        """The principal that `secret` stands for, or None. Never raises, never writes to the database.

        Takes the same way for every kind of bad secret, so that time tells nothing apart.
        """
        ...

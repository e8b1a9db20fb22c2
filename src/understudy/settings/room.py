"""What all rooms of settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

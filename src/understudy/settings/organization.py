"""What an organization may have."""

from __future__ import annotations

from pydantic import Field

from understudy.settings.room import Room


class OrganizationSettings(Room):
    """How many of its objects an organization may have. Keys made on the command line are not counted against it."""

    max_workspaces: int = Field(
        default=100, ge=1, description="Active workspaces, the default one included; archived ones do not count."
    )
    max_members: int | None = Field(
        default=None, ge=1, description="Members; pending invites count. Default: any number."
    )
    max_workspace_members: int | None = Field(
        default=None, ge=0, description="Members of each workspace. Default: any number."
    )
    max_api_keys: int | None = Field(
        default=None, ge=1, description="Active API keys, without admin keys. Default: any number."
    )
    max_workspace_api_keys: int | None = Field(
        default=None, ge=0, description="Active API keys of each workspace. Default: any number."
    )

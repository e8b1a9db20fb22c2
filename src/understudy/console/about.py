"""What the page is told of who is signed in, and of what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from understudy import __version__
from understudy.console.links import is_setup
from understudy.console.sessions import SignedIn
from understudy.console.tables import console_passwords
from understudy.organization.roles import WORKSPACE
from understudy.organization.store import Store
from understudy.organization.tables import organizations, users, workspaces


@dataclass(frozen=True, slots=True)
class Features:
    """What the page shows or leaves out."""

    bodies_kept: bool
    limits_mode: str
    code_execution: bool
    min_password_length: int


async def signed_out(
    store: Store, organization_id: str, provider: dict[str, str] | None, features: Features
) -> dict[str, Any]:
    """`provider`: the name of single sign-on, and where it begins."""
    async with store.connect() as connection:
        setup = await is_setup(connection, organization_id)
    return {
        "signed_in": False,
        "setup": setup,
        "oidc": provider,
        "version": __version__,
        "min_password_length": features.min_password_length,
    }


async def signed_in(store: Store, found: SignedIn, csrf_token: str, features: Features) -> dict[str, Any]:
    session, person = found
    organization_id = person.principal.organization_id
    async with store.connect() as connection:
        user = (await connection.execute(select(users).where(users.c.id == session.user_id))).one()
        of = console_passwords.c
        password = (await connection.execute(select(of.user_id).where(of.user_id == user.id))).first() is not None
        named = select(organizations.c.name).where(organizations.c.id == organization_id)
        name = (await connection.execute(named)).scalar_one()
        rows = (
            await connection.execute(select(workspaces).where(workspaces.c.organization_id == organization_id))
        ).all()
    there = [row for row in rows if row.id in person.grants]
    there.sort(key=lambda row: (not row.is_default, row.name.casefold(), row.id))
    return {
        "signed_in": True,
        "csrf_token": csrf_token,
        "user": {"id": user.id, "email": user.email, "name": user.name, "role": user.role},
        "organization": {"id": organization_id, "name": name},
        "permissions": sorted(person.principal.permissions),
        "workspaces": [
            {
                "id": row.id,
                "name": row.name,
                "display_color": row.display_color,
                "role": person.grants[row.id].role,
                "permissions": sorted(WORKSPACE[person.grants[row.id].role]),
                "is_default": row.is_default,
            }
            for row in there
        ],
        "password": password,
        "version": __version__,
        "min_password_length": features.min_password_length,
        "features": {
            "bodies_kept": features.bodies_kept,
            "limits_mode": features.limits_mode,
            "code_execution": features.code_execution,
        },
    }

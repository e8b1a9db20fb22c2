"""Reading the audit log."""

from __future__ import annotations

from typing import Any, Final, NotRequired

from sqlalchemy import select

from understudy.http.pagination import PageParams
from understudy.http.principal import Principal
from understudy.organization.bodies import Shape
from understudy.organization.clock import rfc3339
from understudy.organization.pages import Order, id_page
from understudy.organization.roles import require
from understudy.organization.store import Store, from_json
from understudy.organization.tables import audit_log


class AuditLogListParams(PageParams):
    action: NotRequired[str]
    actor_id: NotRequired[str]
    object_id: NotRequired[str]


LIST: Final = Shape(AuditLogListParams)


class AuditLog:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, principal: Principal, params: AuditLogListParams) -> dict[str, Any]:
        """A page, newest first, of what was done in the caller's organization."""
        require(principal, "audit:read")
        query = select(audit_log)
        for name in ("action", "actor_id", "object_id"):
            wanted = params.get(name)
            if wanted is not None:
                query = query.where(audit_log.c[name] == wanted)
        async with self._store.connect() as connection:
            return await id_page(
                connection,
                query,
                params,
                # Times and numbers rise together: changes take turns.
                order=Order(audit_log.c.number, audit_log.c.id),
                within=audit_log.c.organization_id == principal.organization_id,
                render=_entry,
            )


def _entry(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": "audit_log_entry",
        "created_at": rfc3339(row.at),
        "action": row.action,
        "actor": {
            "type": row.actor_type,
            "id": row.actor_id,
            "api_key_id": row.api_key_id,
            "address": row.address,
            "user_agent": row.user_agent,
        },
        "request_id": row.request_id,
        "object": {"type": row.object_type, "id": row.object_id},
        "before": from_json(row.before),
        "after": from_json(row.after),
    }

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, select, update

from installations import installation
from understudy.limits.tables import limit_changes
from understudy.organization.tables import organization_changes
from understudy.storage.database import Database
from understudy.storage.following import Following

_log = logging.getLogger(__name__)

ORGANIZATION: ColumnElement[Any] = select(organization_changes.c.revision).scalar_subquery()
LIMITS: ColumnElement[Any] = select(limit_changes.c.revision).scalar_subquery()


class Follower:
    def __init__(self, following: Following, name: str, *columns: ColumnElement[Any]) -> None:
        self.seen: list[list[Any]] = []
        self.breaks = False
        following.add(columns, self.take, _log, name)

    async def take(self, state: Sequence[Any]) -> None:
        if self.breaks:
            raise LookupError
        if not self.seen or self.seen[-1] != list(state):
            self.seen.append(list(state))


async def change(db: Database) -> None:
    async with db.begin() as connection:
        await connection.execute(update(limit_changes).values(revision=limit_changes.c.revision + 1))


@pytest.mark.each_database
async def test_all_who_follow_share_one_statement_and_each_gets_its_own_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation(tmp_path) as (db, _):
        following = Following(db)
        one, two = Follower(following, "one", LIMITS), Follower(following, "two", ORGANIZATION, LIMITS)
        connects: list[None] = []
        connect = db.connect

        def counted() -> Any:
            connects.append(None)
            return connect()

        monkeypatch.setattr(db, "connect", counted)
        await following.look()
        await change(db)
        await following.look()
        first = one.seen[0][0]
        assert one.seen == [[first], [first + 1]]
        assert [state[1] for state in two.seen] == [first, first + 1]
        assert len(connects) == 2


async def test_a_change_is_noticed_within_a_second(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        following = Following(db)
        one = Follower(following, "one", LIMITS)
        following.start()
        try:
            await asyncio.sleep(0.1)
            await change(db)
            async with asyncio.timeout(1.0):
                while not one.seen:
                    await asyncio.sleep(0.01)
        finally:
            await following.stop()


async def test_what_fails_for_one_is_told_once_and_keeps_nobody_else_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation(tmp_path) as (db, _):
        following = Following(db)
        bad, good = Follower(following, "bad", LIMITS), Follower(following, "good", LIMITS)
        bad.breaks = True
        for _ in range(3):
            await following.look()
        assert len(good.seen) == 1
        assert caplog.messages == ["bad: LookupError"]
        bad.breaks = False
        await following.look()
        with monkeypatch.context() as patched:
            patched.setattr(db, "connect", lambda: 1 / 0)
            for _ in range(3):
                await following.look()
        assert caplog.messages[1:] == ["bad: ZeroDivisionError", "good: ZeroDivisionError"]


async def test_a_look_that_was_asked_for_comes_soon_and_stopping_lets_who_waits_go(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        following = Following(db)
        one = Follower(following, "one", LIMITS)
        await following.next_look(10)  # nobody looks yet
        following.start()
        async with asyncio.timeout(0.4):
            await following.next_look(10)
        assert one.seen
        waiting = asyncio.create_task(following.next_look(10))
        await asyncio.sleep(0)
        await following.stop()
        await asyncio.wait_for(waiting, 1)

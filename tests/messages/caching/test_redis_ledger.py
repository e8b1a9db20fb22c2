"""The ledger in Redis: like the one in memory, for several servers, and requests go on while it is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, TypeAlias
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.crc import key_slot

from cached_requests import asking, marked, model_of
from every_block import text
from services import RedisServer
from understudy.messages.caching import CacheUse, Entry, Ledger, MemoryLedger, PromptCache
from understudy.messages.caching.hashes import WORKSPACE_BYTES
from understudy.messages.caching.redis_ledger import RedisLedger
from understudy.storage.redis import connect

MakeLedger: TypeAlias = Callable[..., RedisLedger]


class Clock:
    """Seconds, for a ledger and for its Redis."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def milliseconds(self) -> int:
        return round(self.now * 1000)


@asynccontextmanager
async def connected(url: str, timeout: float = 10.0) -> AsyncGenerator[Redis]:
    redis = connect(url, timeout)
    try:
        yield redis
    finally:
        await redis.aclose()


@dataclass
class Both:
    """A ledger of each kind on one clock, used alike: every answer must be the same."""

    clock: Clock
    memory: MemoryLedger
    redis: RedisLedger
    front: bytes

    def key(self, name: int) -> bytes:
        return self.front + b"%d" % name

    async def look(self, names: Sequence[int]) -> Entry | None:
        keys = [self.key(name) for name in names]
        found = await self.redis.look(keys)
        assert found == await self.memory.look(keys)
        return found

    async def find(self, names: Sequence[int]) -> None:
        keys = [self.key(name) for name in names]
        assert await self.redis.look(keys, renew=False) == await self.memory.look(keys, renew=False)

    async def write(self, entries: Sequence[tuple[int, int]], age: float = 0.0) -> None:
        """`entries`: names and lifetimes. Of one prefix the tokens are always the same."""
        rows = [Entry(self.key(name), 100 + name, ttl) for name, ttl in entries]
        for ledger in (self.memory, self.redis):
            await ledger.write(rows, self.clock.now - age)

    async def keep(self, name: int, value: bytes, ttl: int = 3600) -> None:
        for ledger in (self.memory, self.redis):
            await ledger.keep(self.key(name), value, ttl)

    async def kept(self, name: int) -> bytes | None:
        found = await self.redis.kept(self.key(name))
        assert found == await self.memory.kept(self.key(name))
        return found


@asynccontextmanager
async def both(url: str, most_entries: int = 1_000, most_values: int = 1_000) -> AsyncGenerator[Both]:
    clock = Clock()
    async with connected(url) as redis:
        yield Both(
            clock,
            MemoryLedger(clock, most_entries, most_values),
            RedisLedger(
                redis, clock, most_entries=most_entries, most_values=most_values, redis_clock=clock.milliseconds
            ),
            uuid4().bytes[:WORKSPACE_BYTES],
        )


class Step(NamedTuple):
    op: str
    names: list[int]
    ttls: list[int]
    wait: float
    age: float


names = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)
lifetimes = st.lists(st.sampled_from([300, 3600]), min_size=4, max_size=4)
waits = st.sampled_from([0.5, 1.0, 150.0, 299.5, 300.0, 300.5, 3300.0, 3599.5, 3600.0])
# How long ago what is written began: a slow first answer. Redis's own clock runs on, so nothing has less than seconds.
ages = st.sampled_from([0.0, 0.0, 150.0, 270.0, 300.0, 3300.0, 3570.0, 3600.0])
ops = st.sampled_from(["look", "look", "find", "write", "write", "wait", "keep", "kept"])
steps = st.builds(Step, ops, names, lifetimes, waits, ages)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, min_size=3, max_size=25))
def test_both_ledgers_tell_the_same_story(redis_url: str, story: list[Step]) -> None:
    async def run() -> None:
        async with both(redis_url) as ledgers:
            for number, (op, given_names, ttls, wait, age) in enumerate(story):
                if op == "look":
                    await ledgers.look(given_names)
                elif op == "find":
                    await ledgers.find(given_names)
                elif op == "write":
                    await ledgers.write(list(zip(given_names, ttls, strict=False)), age)
                elif op == "keep":
                    await ledgers.keep(given_names[0], b"value %d" % number, ttls[0])
                elif op == "kept":
                    await ledgers.kept(given_names[0])
                else:
                    ledgers.clock.now += wait
            for name in range(3):
                await ledgers.look([name])
                await ledgers.kept(name)

    asyncio.run(run())


async def test_no_more_is_kept_than_there_is_room_for_and_the_oldest_goes_first(redis_url: str) -> None:
    async with both(redis_url, most_entries=3, most_values=2) as ledgers:
        for name in range(5):
            ledgers.clock.now += 1
            await ledgers.write([(name, 300)])
            await ledgers.keep(name, b"v", 9)
        await ledgers.write([(9, 3600)])
        assert [await ledgers.look([name]) is not None for name in range(5)] == [False] * 3 + [True] * 2
        assert await ledgers.look([9]) is not None
        assert [await ledgers.kept(name) for name in range(5)] == [None] * 3 + [b"v"] * 2


async def test_what_has_ended_makes_room_first(redis_url: str) -> None:
    async with both(redis_url, most_entries=2) as ledgers:
        await ledgers.write([(0, 3600), (1, 300)])
        ledgers.clock.now += 400
        await ledgers.write([(2, 300)])
        assert [await ledgers.look([name]) is not None for name in range(3)] == [True, False, True]


async def test_what_has_ended_goes_although_there_is_room(redis_url: str) -> None:
    async with both(redis_url) as ledgers, connected(redis_url) as redis:
        await ledgers.write([(0, 3600), (1, 300)])
        ledgers.clock.now += 400
        await ledgers.write([(2, 300)])
        assert await redis.hlen(f"understudy:cache:{{{ledgers.front.hex()}}}:entries") == 2


async def test_what_was_read_lives_longer_than_what_was_not(redis_url: str) -> None:
    async with both(redis_url, most_entries=2) as ledgers:
        await ledgers.write([(0, 300)])
        ledgers.clock.now += 1
        await ledgers.write([(1, 300)])
        ledgers.clock.now += 1
        await ledgers.look([0])
        await ledgers.write([(2, 300)])
        assert [await ledgers.look([name]) is not None for name in range(3)] == [True, False, True]


async def test_the_first_of_the_keys_is_found_and_it_alone_renewed(redis_url: str) -> None:
    async with both(redis_url) as ledgers:
        await ledgers.write([(0, 300), (1, 300)])
        ledgers.clock.now += 299
        assert await ledgers.look([7, 1, 0]) == Entry(ledgers.key(1), 101, 300)
        ledgers.clock.now += 1
        assert await ledgers.look([0]) is None
        assert await ledgers.look([1]) == Entry(ledgers.key(1), 101, 300)


async def test_an_answer_that_began_late_does_not_shorten_a_life(redis_url: str) -> None:
    async with both(redis_url) as ledgers:
        await ledgers.write([(0, 300)])
        await ledgers.write([(0, 300)], age=200.0)
        ledgers.clock.now += 299
        assert await ledgers.look([0]) is not None


async def test_redis_itself_forgets_a_workspace_that_nobody_asks_for(redis_url: str) -> None:
    front = uuid4().bytes[:WORKSPACE_BYTES]
    async with connected(redis_url) as redis:
        ledger = RedisLedger(redis, lambda: 0.0)
        await ledger.write([Entry(front + b"a", 5, 1)], 0.0)
        await ledger.keep(front + b"b", b"v", 1)
        keys = [key async for key in redis.scan_iter(f"*{front.hex()}*")]
        assert len(keys) == 4
        assert await ledger.look([front + b"a"]) == Entry(front + b"a", 5, 1)
        assert await ledger.kept(front + b"b") == b"v"
        await asyncio.sleep(1.05)
        assert await ledger.look([front + b"a"]) is None
        assert await ledger.kept(front + b"b") is None
        assert [key async for key in redis.scan_iter(f"*{front.hex()}*")] == []


async def test_a_short_life_does_not_end_a_long_one(redis_url: str) -> None:
    front = uuid4().bytes[:WORKSPACE_BYTES]
    async with connected(redis_url) as redis:
        ledger = RedisLedger(redis, lambda: 0.0)
        await ledger.write([Entry(front + b"hour", 5, 3600)], 0.0)
        await ledger.write([Entry(front + b"minutes", 5, 300)], 0.0)
        for part in (":entries", ":entries:ends"):
            assert await redis.pttl(f"understudy:cache:{{{front.hex()}}}{part}") > 3_000_000


async def test_every_call_is_one_command_on_one_node_of_a_cluster(redis_url: str) -> None:
    front = uuid4().bytes[:WORKSPACE_BYTES]
    keys = [front + b"%d" % number for number in range(20)]
    async with connected(redis_url) as redis, connected(redis_url) as spying:
        ledger = RedisLedger(redis, lambda: 0.0)
        await ledger.look(keys)
        async with spying.monitor() as monitor:
            await ledger.look(keys)
            await ledger.write([Entry(key, 1, 300) for key in keys], 0.0)
            await ledger.keep(keys[0], b"v", 300)
            await ledger.kept(keys[0])
            await spying.publish("end", "end")
            seen: list[str] = []
            async for command in monitor.listen():
                if command["command"].startswith("PUBLISH"):
                    break
                if command["client_type"] != "lua" and not command["command"].startswith("HELLO"):
                    seen.append(command["command"])
        sent = [command.split() for command in seen if command.startswith("EVALSHA")]
        assert len(sent) == len(seen) == 4
        assert len({key_slot(key.encode()) for words in sent for key in words[3:5]}) == 1
        stored = [key async for key in redis.scan_iter(f"*{front.hex()}*")]
        assert len({key_slot(key) for key in stored}) == 1


async def test_an_entry_that_lost_half_of_itself_is_not_found_and_can_be_written_again(redis_url: str) -> None:
    front = uuid4().bytes[:WORKSPACE_BYTES]
    entry = Entry(front + b"a", 5, 300)
    async with connected(redis_url) as redis:
        ledger = RedisLedger(redis, lambda: 0.0)
        for part in (":entries", ":entries:ends"):
            await ledger.write([entry, Entry(front + b"other", 5, 300)], 0.0)
            await redis.delete(f"understudy:cache:{{{front.hex()}}}{part}")
            assert await ledger.look([entry.key]) is None
            await ledger.write([entry], 0.0)
            assert await ledger.look([entry.key]) == entry
            assert await ledger.look([front + b"other"]) is None
        # Nothing is left of the other that nobody would ever take away.
        assert await redis.hlen(f"understudy:cache:{{{front.hex()}}}:entries") == 1


class Server:
    """One of several servers that share a ledger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float], workspace: str) -> None:
        self._cache = PromptCache(ledger, clock)
        self._workspace = workspace
        self._model = model_of()

    async def send(self, *blocks: dict[str, object], workspace: str | None = None) -> CacheUse:
        turn = await self._cache.begin(asking(*blocks), self._model, workspace or self._workspace)
        await turn.started("msg_1")
        return turn.use


async def test_what_one_server_caches_another_reads_and_no_other_workspace_does(redis_url: str) -> None:
    workspace = f"wrkspc_{uuid4().hex}"
    async with connected(redis_url) as one, connected(redis_url) as other:
        # Their clocks are an hour apart.
        first = Server(RedisLedger(one, lambda: 10_000.0), lambda: 10_000.0, workspace)
        second = Server(RedisLedger(other, lambda: 6_400.0), lambda: 6_400.0, workspace)
        written = await first.send(marked(text("shared")))
        assert written.cache_creation_input_tokens > 0
        elsewhere = await second.send(marked(text("shared")), workspace=workspace + "b")
        assert elsewhere.cache_read_input_tokens == 0
        read = await second.send(marked(text("shared")))
        assert read.cache_read_input_tokens == written.cache_creation_input_tokens


async def test_nothing_of_a_prompt_reaches_redis(redis_url: str) -> None:
    async with connected(redis_url) as redis, connected(redis_url) as spying:
        server = Server(RedisLedger(redis, lambda: 0.0), lambda: 0.0, f"wrkspc_{uuid4().hex}")
        async with spying.monitor() as monitor:
            await server.send(marked(text("the canary sang")), marked(text("canary")))
            await spying.publish("end", "end")
            seen = ""
            async for command in monitor.listen():
                if command["command"].startswith("PUBLISH"):
                    break
                seen += command["command"]
        assert "EVAL" in seen
        assert "canary" not in seen
        assert "wrkspc" not in seen


async def test_a_cancelled_call_leaves_no_answer_for_the_next_one(redis_url: str) -> None:
    front = uuid4().bytes[:WORKSPACE_BYTES]
    async with connected(redis_url) as redis:
        ledger = RedisLedger(redis, lambda: 0.0)
        for number in range(20):
            await ledger.keep(front + b"%d" % number, b"%d" % number, 300)
        for pauses in range(40):
            asked = [asyncio.create_task(ledger.kept(front + b"%d" % number)) for number in range(20)]
            for _ in range(pauses % 8):
                await asyncio.sleep(0)
            for task in asked[::2]:
                task.cancel()
            found = await asyncio.gather(*asked, return_exceptions=True)
            for number, value in enumerate(found):
                assert isinstance(value, asyncio.CancelledError) or value == b"%d" % number


async def test_without_redis_requests_go_on_and_the_log_says_so_once(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "understudy")
    async with connected(own_redis.url, timeout=0.5) as redis:
        server = Server(RedisLedger(redis, lambda: 0.0, pause=0.05), lambda: 0.0, "w")
        await server.send(marked(text("a")))
        own_redis.stop()
        for _ in range(3):
            use = await server.send(marked(text("a")))
            assert (use.cache_read_input_tokens, use.cache_creation_input_tokens > 0) == (0, True)
            await asyncio.sleep(0.06)
        assert len(caplog.records) == 1
        own_redis.start()
        await server.send(marked(text("a")))
        assert (await server.send(marked(text("a")))).cache_read_input_tokens > 0
        assert [record.getMessage() for record in caplog.records] == [
            "the shared prompt cache does not answer (ConnectionError): nothing is cached",
            "the shared prompt cache is back",
        ]


async def test_a_redis_that_hangs_holds_one_request_up_and_no_other(own_redis: RedisServer) -> None:
    async with connected(own_redis.url, timeout=0.2) as redis:
        ledger = RedisLedger(redis, lambda: 0.0, pause=60.0)
        entry = Entry(b"workspacekey", 1, 300)
        await ledger.write([entry], 0.0)
        own_redis.pause()
        begun = perf_counter()
        assert await ledger.look([entry.key]) is None
        assert 0.15 < perf_counter() - begun < 2.0
        begun = perf_counter()
        for _ in range(100):
            assert await ledger.look([entry.key]) is None
            await ledger.write([entry], 0.0)
        assert perf_counter() - begun < 0.1


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://localhost:port"])
def test_a_url_that_cannot_be_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        connect(url, 1.0)

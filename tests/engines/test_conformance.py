"""Every engine passes the same tests. A new one is added by a class with its `can` and its `running`.

What replays recordings (`engines/recording`) is a server of its own and no engine.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from asgi import KEY, InProcess
from clouds.served import ACCESS_KEY, REGION, SECRET, TOKENS, Clouds
from engines import sensible_openai
from engines.claude.gateway import Gateway
from engines.conformance import EngineConformance, UpstreamConformance
from engines.routing.engines import Scripted
from engines.subjects import Can, Subject
from engines.wire import wire_to
from fake_openai import fake_openai
from understudy.engines.bedrock import BedrockSettings, BedrockUpstream
from understudy.engines.claude import ClaudeEngine, ClaudeSettings, ClaudeUpstream
from understudy.engines.engine import EngineModel
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.engines.openai_compatible.engine import OpenAICompatibleEngine
from understudy.engines.openai_compatible.http import Timeouts
from understudy.engines.routing import Chain, RoutedEngine, Target
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Rule
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.engines.vertex import VertexSettings, VertexUpstream
from understudy.settings import SimulatorSettings
from understudy.wire.errors import OverloadedError


def simulator(*, slow: bool = False) -> SimulatorEngine:
    return SimulatorEngine(SimulatorSettings(tokens_per_second=25 if slow else 0))


class TestSimulator(EngineConformance):
    @asynccontextmanager
    async def running(self, *, slow: bool = False, patience: float = 30.0) -> AsyncGenerator[Subject]:
        yield Subject(simulator(slow=slow))


class TestScenarios(EngineConformance):
    """A scenario that lets the simulator answer, and one that speaks for itself where answers are slow."""

    @asynccontextmanager
    async def running(self, *, slow: bool = False, patience: float = 30.0) -> AsyncGenerator[Subject]:
        scenarios = Scenarios()
        scenarios.add(Rule(answer=(Answer(text="one two three " * 50, delay_between=0.05) if slow else Answer(),)))
        yield Subject(ScenarioEngine(simulator(), scenarios))


class TestRoutedChain(EngineConformance):
    """The first target never works, the second is the simulator."""

    @asynccontextmanager
    async def running(self, *, slow: bool = False, patience: float = 30.0) -> AsyncGenerator[Subject]:
        targets = [
            Target(EngineModel("public", engine.name, "m"), engine=engine, weight=weight)
            for engine, weight in ((Scripted("broken", OverloadedError()), 1), (simulator(slow=slow), 0))
        ]
        yield Subject(RoutedEngine(Chain("public", targets)))


@asynccontextmanager
async def openai_compatible(*, slow: bool, patience: float, counts: bool) -> AsyncGenerator[Subject]:
    dialect = DIALECTS["vllm"] if counts else replace(DIALECTS["vllm"], count_route=None, stream_usage=False)
    script = sensible_openai.slowly if slow else sensible_openai.answer
    async with fake_openai(script=script) as fake, wire_to(fake.url) as wire:
        timeouts = Timeouts(2, patience, patience)
        engine = OpenAICompatibleEngine("up", wire.url, dialect=replace(dialect, vision=True), timeouts=timeouts)
        try:
            yield Subject(engine, wire)
        finally:
            await engine.close()


class TestOpenAICompatible(UpstreamConformance):
    can = Can(counting="estimate", told_thinking=False)

    def running(self, *, slow: bool = False, patience: float = 30.0) -> AbstractAsyncContextManager[Subject]:
        return openai_compatible(slow=slow, patience=patience, counts=False)


class TestOpenAICompatibleThatCounts(EngineConformance):
    """Its upstream has a route that counts, and says with each piece what was used so far."""

    can = Can(told_thinking=False)

    def running(self, *, slow: bool = False, patience: float = 30.0) -> AbstractAsyncContextManager[Subject]:
        return openai_compatible(slow=slow, patience=patience, counts=True)


@asynccontextmanager
async def cloud(
    make: Callable[[str, float], BedrockUpstream | VertexUpstream], *, slow: bool, patience: float
) -> AsyncGenerator[Subject]:
    """In front of a second Understudy's own flavour of a cloud."""
    second = Gateway({}, [("simulator", "*", 1)], ["*"])
    second.app = Clouds(simulator(slow=slow)).envelope
    with second.listening() as url:
        async with wire_to(url) as wire:
            upstream = make(wire.url, patience)
            try:
                yield Subject(ClaudeEngine("up", upstream), wire)
            finally:
                await upstream.close()


class TestBedrock(EngineConformance):
    """Its stream has frames of another kind, so how bytes are cut and where they break is tried beside it."""

    @pytest.fixture(autouse=True)
    def keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)):
            monkeypatch.setenv(name, value)
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)

    def running(self, *, slow: bool = False, patience: float = 30.0) -> AbstractAsyncContextManager[Subject]:
        def make(url: str, patience: float) -> BedrockUpstream:
            settings = BedrockSettings(
                REGION, url + "/bedrock", connect_timeout=2, first_byte_timeout=patience, idle_timeout=patience
            )
            return BedrockUpstream("up", settings)

        return cloud(make, slow=slow, patience=patience)


class TestVertex(UpstreamConformance):
    def running(self, *, slow: bool = False, patience: float = 30.0) -> AbstractAsyncContextManager[Subject]:
        def make(url: str, patience: float) -> VertexUpstream:
            settings = VertexSettings(
                "us-east5",
                "a-project",
                url + "/vertex/v1",
                TOKENS["vertex"],
                connect_timeout=2,
                first_byte_timeout=patience,
                idle_timeout=patience,
            )
            return VertexUpstream("up", settings)

        return cloud(make, slow=slow, patience=patience)


class TestClaude(UpstreamConformance):
    """In front of a second Understudy."""

    @asynccontextmanager
    async def running(self, *, slow: bool = False, patience: float = 30.0) -> AsyncGenerator[Subject]:
        second = Gateway({}, [("simulator", "*", 1)], ["*"])
        second.app = InProcess(simulator(slow=slow)).app
        with second.listening() as url:
            async with wire_to(url) as wire:
                settings = ClaudeSettings(
                    wire.url, KEY, connect_timeout=2, first_byte_timeout=patience, idle_timeout=patience
                )
                upstream = ClaudeUpstream("up", settings)
                try:
                    yield Subject(ClaudeEngine("up", upstream), wire)
                finally:
                    await upstream.close()

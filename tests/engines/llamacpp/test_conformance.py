"""What every engine holds, by a model that llama.cpp really runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from engines.conformance import EngineConformance
from engines.llamacpp.llama_turns import llama, tiny
from engines.subjects import Can, Subject

pytestmark = pytest.mark.slow


class TestLlama(EngineConformance):
    # It says whatever it likes, another thing each time.
    can = Can(same=False, calls=False, thinks=False)
    examples, most = 8, 60

    @asynccontextmanager
    async def running(self, *, slow: bool = False, patience: float = 30.0) -> AsyncGenerator[Subject]:
        async with llama(tiny(), n_ctx=32768) as engine:
            yield Subject(engine)

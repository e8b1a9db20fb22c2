"""A llama.cpp server that somebody else runs: `llama-server` on this machine or another."""

from __future__ import annotations

import asyncio
from typing import Final

from .connection import Connection
from .failures import LlamaError, LlamaGoneError, LlamaTimeoutError, ModelLoadError
from .properties import LlamaProperties, read_properties
from .supervisor import State

# Seconds between two questions whether the model is loaded, and between two whether what was cached is still so.
_ASK: Final = 0.5
_FRESH: Final = 60.0


class ExternalLlama:
    """`url` is where the server's `/health` is, without that. `api_key` is what it was started with (`--api-key`).

    `load_timeout` is how many seconds a server that answers gets to load its model, `connect_timeout` how many a
    connection may take. It runs already, so requests need no `start`: that waits until it answers as it should.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, load_timeout: float = 600.0, connect_timeout: float = 10.0
    ) -> None:
        self._url = url
        self._connection = Connection(url, api_key, connect_timeout=connect_timeout, ready=self._unless_stopped)
        self._load_timeout = load_timeout
        self._state: State = "ready"
        self._properties: LlamaProperties | None = None
        self._asked = 0.0

    @property
    def connection(self) -> Connection:
        return self._connection

    @property
    def state(self) -> State:
        return self._state

    async def start(self) -> None:
        """Raises ModelLoadError where the server does not answer, refuses the key or is no llama.cpp server."""
        self._state = "starting"
        try:
            async with asyncio.timeout(self._load_timeout):
                await self._until_loaded()
            await self.properties()
        except TimeoutError as error:
            raise self._failed("has not loaded its model in time") from error
        except (LlamaGoneError, LlamaTimeoutError) as error:
            raise self._failed(f"does not answer as it should: {error}") from error
        except LlamaError as error:
            if error.status in (401, 403):
                raise self._failed("does not accept the API key") from error
            raise self._failed(f"does not answer as it should: {error.message or error.status}") from error
        except BaseException:
            self._state = "failed"
            raise
        self._state = "ready"

    async def stop(self) -> None:
        """Close all sockets to it, and open none until the next start. It runs on."""
        self._state = "stopped"
        self._connection.drop()

    async def properties(self) -> LlamaProperties:
        """Asked again after a minute: nobody tells us when the server is started with another model."""
        now = asyncio.get_running_loop().time()
        if self._properties is None or now - self._asked > _FRESH:
            self._properties = await read_properties(self._connection)
            self._asked = now
        return self._properties

    async def _unless_stopped(self) -> None:
        if self._state == "stopped":
            raise LlamaGoneError("The connection to the llama.cpp server is closed.")

    async def _until_loaded(self) -> None:
        while True:
            try:
                await self._connection.get("/health")
            except LlamaError as error:
                # 503: "Loading model".
                if error.status != 503:
                    raise
            else:
                return
            await asyncio.sleep(_ASK)

    def _failed(self, why: str) -> ModelLoadError:
        self._state = "failed"
        return ModelLoadError(f"The llama.cpp server at {self._url} {why}.")

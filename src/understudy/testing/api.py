"""The server as a test sees it: where it is, what it answers, and what it received."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from understudy.engines.scenarios.failures import Failure
from understudy.engines.scenarios.model import Answer, Block, Fault, Rule, Scenario, ToolCall, When
from understudy.engines.scenarios.parsing import parse_scenario, read_scenario
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.scenarios.transport import Received
from understudy.testing.server import ThreadedServer

if TYPE_CHECKING:
    from types import TracebackType

    from anthropic import Anthropic, AsyncAnthropic

Reply: TypeAlias = (
    "str | Answer | ToolCall | Failure | Fault | Sequence[Block] | Callable[[dict[str, Any]], Answer | str]"
)
"""What `respond` takes: a text, a call of a tool, an error, content blocks, or a function of the request's body."""

Condition: TypeAlias = "str | When | Mapping[str, Any] | Callable[[dict[str, Any]], bool]"
"""What `when` takes: a piece of the last user text, conditions, or a function of the request's body."""


class ClaudeApi:
    """A server of your test's own. As a context manager it starts and stops one; the pytest fixture shares one.

    `base_url` has no `/v1`. `ids="deterministic"` counts ids, so that whole answers can be compared.
    `unmatched="fail"` refuses Messages requests no rule is for with a 400; `unmatched_requests` tells them.
    """

    def __init__(
        self,
        *,
        ids: Literal["random", "deterministic"] = "random",
        unmatched: Literal["answer", "fail"] = "answer",
        server: ThreadedServer | None = None,
    ) -> None:
        self._owned = server is None
        self._server = ThreadedServer() if server is None else server
        self._base = Scenario(ids=ids, unmatched="error" if unmatched == "fail" else "answer")
        self._client: Anthropic | None = None
        self._async_client: AsyncAnthropic | None = None

    def __enter__(self) -> ClaudeApi:
        if self._owned:
            self._server.start()
        self.reset()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()
        self.scenarios.reset()
        if self._owned:
            self._server.stop()

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def api_key(self) -> str:
        return self._server.api_key

    @property
    def admin_key(self) -> str:
        return self._server.admin_key

    @property
    def client(self) -> Anthropic:
        """The official SDK's client for this server. Raises ImportError when `anthropic` is not installed."""
        if self._client is None:
            from anthropic import Anthropic

            self._client = Anthropic(base_url=self.base_url, api_key=self.api_key)
        return self._client

    @property
    def async_client(self) -> AsyncAnthropic:
        """As `client`, for one event loop: that of the test. Leaves no connection behind that a test had to close."""
        if self._async_client is None:
            from anthropic import AsyncAnthropic

            self._async_client = AsyncAnthropic(
                base_url=self.base_url, api_key=self.api_key, default_headers={"connection": "close"}
            )
        return self._async_client

    # --- what it answers ---

    @property
    def scenarios(self) -> Scenarios:
        """The rules at work, for what is not offered here."""
        return self._server.scenarios

    def respond(self, *replies: Reply, when: Condition | None = None, times: int | None = None, name: str = "") -> None:
        """Answer Messages requests for which `when` holds. Rules are tried in the order in which they were added.

        One reply is given every time, or `times` times; several are given one after the other. A single reply without
        `when` and `times` is for what no other rule answers.
        """
        if not replies:
            raise TypeError("respond() needs at least one reply")
        rule = Rule(name=name, when=_when(when), answer=tuple(_answer(reply) for reply in replies), times=times)
        self._server.scenarios.add(rule)

    def fail_next(
        self,
        status: int = 529,
        *,
        times: int = 1,
        type: str | None = None,
        message: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        path: str | None = None,
    ) -> None:
        """Refuse the next `times` requests (of `path`, else Messages requests), before any other rule is tried.

        `retry_after` is seconds, in the header of that name. Without it a client that retries is asked to do so at
        once (`retry-after-ms: 1`, which the official SDKs read), so that tests need not wait.
        """
        asked = {"retry-after-ms": "1"} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        failure = Failure(status=status, type=type, message=message, headers={**asked, **(headers or {})})
        when = When() if path is None else When(path=path)
        rule = Rule(name=f"fail_next({status})", when=when, answer=(Answer(error=failure),), times=times)
        self._server.scenarios.add(rule, first=True)

    def load(self, scenario: Scenario | Mapping[str, Any] | Path | str) -> None:
        """Add the rules of a scenario, or of a scenario file, behind those that are there."""
        if isinstance(scenario, Path | str):
            loaded = read_scenario(Path(scenario))
        else:
            loaded = scenario if isinstance(scenario, Scenario) else parse_scenario(dict(scenario))
        self._server.scenarios.load(loaded, append=True)

    def reset(self) -> None:
        """Forget all rules and received requests, and count ids from the beginning."""
        self._server.scenarios.load(self._base)

    # --- what it received ---

    @property
    def requests(self) -> list[Received]:
        """Requests with a good key since the last reset, oldest first: the last 1,000, or 64 MB of bodies."""
        return list(self._server.scenarios.received)

    @property
    def unmatched_requests(self) -> list[str]:
        """Of each Messages request no rule was for: what it was, and why each rule was not for it."""
        return list(self._server.scenarios.refused)

    @property
    def unused_rules(self) -> list[str]:
        """Names of the rules that have not given all their answers."""
        return self._server.scenarios.unused()


def _answer(reply: Reply) -> Answer:
    if isinstance(reply, Answer):
        return reply
    if isinstance(reply, str):
        return Answer(text=reply)
    if isinstance(reply, ToolCall):
        return Answer(tool_calls=(reply,))
    if isinstance(reply, Failure):
        return Answer(error=reply)
    if isinstance(reply, Fault):
        return Answer(fault=reply)
    if callable(reply):
        return Answer(reply=reply)
    return Answer(content=tuple(reply))


def _when(condition: Condition | None) -> When:
    if condition is None:
        return When()
    if isinstance(condition, When):
        return condition
    if isinstance(condition, str):
        return When(text_contains=condition)
    if callable(condition):
        return When(predicate=condition)
    return When.model_validate(dict(condition))

"""What a cloud takes is there with its first request, and costs nobody else anything."""

from __future__ import annotations

import subprocess
import sys

from asgi import KEY, Answer, InProcess
from clouds.served import BEDROCK_MODEL, TO_BEDROCK, VERTEX, Clouds
from understudy.http.envelope import ApiRoute, Envelope
from understudy.http.exchange import Exchange

_IMPORTED = """
import sys
import understudy.app.application
print(*sorted(name for name in sys.modules if name.startswith("understudy.clouds.")))
"""


def test_a_server_starts_without_the_clouds() -> None:
    printed = subprocess.run([sys.executable, "-c", _IMPORTED], capture_output=True, text=True, check=True).stdout
    # The chat completions stand among the API's own routes.
    assert {name.split(".")[2] for name in printed.split()} == {"openai"}


async def test_the_first_request_of_each_cloud_is_answered_as_the_second_is() -> None:
    def shape(answer: Answer) -> tuple[int, object]:
        return answer.status, sorted(answer.json()) if answer.body else None

    for path, body in (
        (f"/bedrock/model/{BEDROCK_MODEL}/invoke", TO_BEDROCK),
        ("/bedrock/anthropic/v1/messages", {}),
        (VERTEX + "claude-opus-4-8:rawPredict", {}),
        ("/foundry/anthropic/v1/messages", {}),
        ("/aws/v1/messages", {}),
        ("/aws", {}),
        ("/bedrock/nowhere", {}),
    ):
        api = Clouds()
        first, second = [await api.bearer(path, body) for _ in range(2)]
        assert shape(first) == shape(second), path
    assert (await Clouds().call("OPTIONS", "/vertex/x", {"origin": "https://a", "access-control-request-method": "GET",
        "access-control-request-headers": "anthropic-dangerous-direct-browser-access"})).status == 204  # fmt: skip


async def test_a_flavour_that_could_not_be_had_is_tried_again() -> None:
    made: list[int] = []

    async def answer(exchange: Exchange) -> None:
        await exchange.respond_json({"made": len(made)})

    def make() -> list[ApiRoute]:
        made.append(1)
        if len(made) == 1:
            raise OSError("too many open files")
        return [ApiRoute("/x/a", "GET", answer), ApiRoute("/x/{rest:path}", "GET", answer)]

    api = InProcess()

    async def nothing() -> None:
        pass

    api.app = Envelope(
        api_routes=[],
        other_routes=[],
        authenticator=api.key,
        request_log=api.records,
        start=nothing,
        stop=nothing,
        flavours=lambda _: {"/x": make},
    )
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    answers = [await api.call("GET", path, headers) for path in ("/x/a", "/x/a", "/x/b", "/y")]
    assert [one.status for one in answers] == [500, 200, 200, 404]
    assert (answers[1].json(), answers[2].json()) == ({"made": 2}, {"made": 2})

"""What servers of other projects really sent: vLLM 0.32 on a CPU, mlx_lm.server 0.32, transformers serve 5.19,
llama-cpp-python 0.3.36 and LiteLLM's proxy 1.106. The shapes are theirs, the values are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engines.openai_compatible.turns import TIME, WEATHER, engine, events_of, request, told, turn
from fake_openai import DONE, FakeOpenAI, Reply, fake_openai, refused, said
from understudy.engines.engine import EngineTurn
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.wire.errors import ApiError

Json = dict[str, Any]

VLLM = DIALECTS["vllm"]
GENERIC = DIALECTS["generic"]
TOOLS = request(tools=[WEATHER, TIME])

# --- streams ---


def vllm(delta: Json, produced: int, finish_reason: str | None = None) -> bytes:
    """Every chunk bears the usage so far, for that was asked for."""
    choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason, "token_ids": None}
    if finish_reason is not None:
        choice["stop_reason"] = None
    used = {"prompt_tokens": 30, "total_tokens": 30 + produced, "completion_tokens": produced}
    return event("vllm", [choice], usage=used | {"completion_tokens_details": {"reasoning_tokens": 0}})


def mlx(finish_reason: str | None = None, **delta: Any) -> bytes:
    return event("mlx", [{"index": 0, "finish_reason": finish_reason, "delta": {"role": "assistant"} | delta}])


def transformers(delta: Json, **more: Any) -> bytes:
    """The choice names a finish_reason only where there is one."""
    used = {"usage": more.pop("usage")} if "usage" in more else {}
    return event("tf", [{"delta": delta, "index": 0} | more], system_fingerprint="", **used)


def litellm(delta: Json, finish_reason: str | None = None) -> bytes:
    choice: Json = {"index": 0, "delta": delta}
    return event("litellm", [choice if finish_reason is None else {"finish_reason": finish_reason} | choice])


def event(model: str, choices: list[Json], **more: Any) -> bytes:
    made = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices} | more
    return b"data: " + json.dumps(made).encode() + b"\n\n"


def called(index: int, **function: str) -> Json:
    return {"index": index, "function": function}


def of_mlx(prompt: int, cached: int, completion: int) -> bytes:
    """Its last chunk calls itself a whole answer."""
    used = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event("mlx", [], object="chat.completion", usage=used | {"prompt_tokens_details": {"cached_tokens": cached}})


CALL: Json = {"type": "function", "id": "call-1"}
STREAMS: dict[str, tuple[EngineTurn, list[bytes], list[tuple[str, ...]]]] = {
    "vLLM: thinking, text and a call whose name comes without its input": (
        turn(TOOLS, thinking="adaptive"),
        [
            vllm({"role": "assistant", "content": ""}, 0),
            vllm({"reasoning": "Let me"}, 2),
            vllm({"reasoning": " see."}, 3),
            vllm({"content": "I look."}, 6),
            vllm({"content": None, "tool_calls": [{**CALL, **called(0, name="weather")}]}, 9),
            vllm({"content": None, "tool_calls": [called(0, arguments='{"city"')]}, 11),
            vllm({"content": None, "tool_calls": [called(0, arguments=': "Oslo"}')]}, 14),
            vllm({}, 16, "tool_calls"),
            event("vllm", [], usage={"prompt_tokens": 30, "total_tokens": 46, "completion_tokens": 16}),
            DONE,
        ],
        [
            ("prompt", "30", "0"),
            ("thinking", "Let me see."),
            ("text", "I look."),
            ("call", "weather"),
            ("input", '{"city": "Oslo"}'),
            ("stop", "tool_use"),
        ],
    ),
    "vLLM: a call that the limit cut": (
        turn(request(tools=[WEATHER], tool_choice={"type": "any"}, max_tokens=20)),
        [
            vllm({"role": "assistant", "content": ""}, 0),
            vllm({"content": None, "tool_calls": [{**CALL, **called(0, name="weather")}]}, 15),
            vllm({"content": None, "tool_calls": [called(0, arguments='{"ci')]}, 18),
            vllm({}, 20, "length"),
            DONE,
        ],
        [("prompt", "30", "0"), ("call", "weather"), ("input", '{"ci'), ("stop", "max_tokens")],
    ),
    "mlx: comments before the answer, two calls at once, and the part of the prompt it knew": (
        turn(TOOLS),
        [
            b": keepalive 0/170\n\n: keepalive 170/170\n\n",
            mlx(content="I look"),
            mlx(content=" twice."),
            mlx(
                content="\n",
                tool_calls=[
                    {"function": {"name": "weather", "arguments": '{"city": "Rome"}'}, **CALL, "index": 0},
                    {"function": {"name": "time", "arguments": "{}"}, **CALL, "id": "call-2", "index": 1},
                ],
            ),
            mlx("tool_calls"),
            of_mlx(170, 168, 13),
            DONE,
        ],
        [
            ("text", "I look twice.\n"),
            ("call", "weather"),
            ("input", '{"city": "Rome"}'),
            ("call", "time"),
            ("input", "{}"),
            ("prompt", "170", "168"),
            ("stop", "tool_use"),
        ],
    ),
    "transformers: nothing says that the stream is over": (
        turn(TOOLS),
        [
            transformers({"role": "assistant"}),
            transformers({"content": "I look."}),
            transformers({"tool_calls": [{**CALL, **called(0, arguments="{}", name="time")}]}),
            transformers(
                {},
                finish_reason="tool_calls",
                usage={"completion_tokens": 13, "prompt_tokens": 355, "total_tokens": 368},
            ),
        ],
        [("text", "I look."), ("call", "time"), ("input", "{}"), ("prompt", "355", "0"), ("stop", "tool_use")],
    ),
    "LiteLLM: what vLLM thinks, by its older name": (
        turn(thinking="adaptive"),
        [
            litellm({"role": "assistant", "content": ""}),
            litellm({"reasoning_content": "Let me see."}),
            litellm({"content": "Forty-two"}),
            litellm({}, "stop"),
            event("litellm", [], usage={"completion_tokens": 9, "prompt_tokens": 20, "total_tokens": 29}),
            DONE,
        ],
        [("thinking", "Let me see."), ("text", "Forty-two"), ("prompt", "20", "0"), ("stop", "end_turn")],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("apart", [False, True])
async def test_a_stream_of_another_server_is_understood(name: str, apart: bool) -> None:
    turn_, pieces, expected = STREAMS[name]
    async with fake_openai(Reply(pieces if apart else [b"".join(pieces)], close=True)) as fake:
        dialect = VLLM if name.startswith("vLLM") else GENERIC
        assert told(await events_of(engine(fake.url, dialect), turn_)) == expected


async def test_an_error_with_line_ends_in_its_json_is_an_error() -> None:
    # transformers serve, of a call that is no JSON.
    broken = b'data: {"error": "no JSON.\nContent: \'\n{oops\'\nError: line 2"}\n\n'
    async with fake_openai(Reply([transformers({"content": "Hm"}), broken], close=True)) as fake:
        with pytest.raises(ApiError) as caught:
            await events_of(engine(fake.url), turn(TOOLS))
    assert (caught.value.status, caught.value.type) == (500, "api_error")


# --- whole answers ---


def of_llama(arguments: str, produced: int) -> Reply:
    """A forced call of llama-cpp-python 0.3.36: said twice, and ended as a call is whatever ended it."""
    function: Json = {"name": "weather", "arguments": arguments}
    message: Json = {"content": None, "tool_calls": [{**CALL, "function": function}], "role": "assistant"}
    choice: Json = {"index": 0, "message": message | {"function_call": function}, "logprobs": None}
    used = {"prompt_tokens": 31, "completion_tokens": produced, "total_tokens": 31 + produced}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": used}
    return refused(200, body | {"choices": [choice | {"finish_reason": "tool_calls"}]})


def forced(max_tokens: int) -> EngineTurn:
    made = turn(request(tools=[WEATHER], tool_choice={"type": "tool", "name": "weather"}, max_tokens=max_tokens))
    made.whole = True
    return made


async def test_a_call_that_is_said_in_old_and_new_words_is_one() -> None:
    async with fake_openai(of_llama('{"city" :"Oslo"}', 13)) as fake:
        assert told(await events_of(engine(fake.url), forced(60))) == [
            ("call", "weather"),
            ("input", '{"city" :"Oslo"}'),
            ("prompt", "31", "0"),
            ("stop", "tool_use"),
        ]


@pytest.mark.parametrize("arguments", ['{"ci', '{"city": "Os'])
async def test_a_call_at_the_limit_that_is_not_whole_was_cut(arguments: str) -> None:
    async with fake_openai(of_llama(arguments, 7)) as fake:
        assert told(await events_of(engine(fake.url), forced(7))) == [
            ("call", "weather"),
            ("input", arguments),
            ("prompt", "31", "0"),
            ("stop", "max_tokens"),
        ]


async def test_a_whole_call_at_the_limit_is_a_call() -> None:
    async with fake_openai(of_llama('{"city": "Oslo"}', 7)) as fake:
        assert told(await events_of(engine(fake.url), forced(7)))[-1] == ("stop", "tool_use")


# --- errors ---


def of_vllm(message: str, param: str | None = None, kind: str = "BadRequestError", code: int = 400) -> Json:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def of_litellm(message: str, kind: str = "invalid_request_error") -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": "400"}}


CHARACTERS = (
    "This model's maximum context length is 512 tokens. However, your prompt contains 15081 characters (more than "
    "12800 characters, which is the upper bound for 512 input tokens). Please reduce the length of the input prompt. "
    "(parameter=input_text, value=15081)"
)
AT_LEAST = (
    "This model's maximum context length is 512 tokens. However, your prompt contains at least 513 input tokens, which "
    "exceeds this limit even without any output tokens. Please reduce the length of the input prompt. "
    "(parameter=input_tokens, value=513)"
)
WRAPPED = (
    "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: {kind} - {said}\n"
    "model=m. context_window_fallbacks=None. fallbacks=None."
)
REFUSED: dict[str, tuple[int, Json, tuple[int, str, str]]] = {
    "vLLM: no such model": (
        404,
        of_vllm("The model `m` does not exist. Valid aliases: tiny.", "model", "NotFoundError", 404),
        (404, "not_found_error", "model: my-model"),
    ),
    "vLLM: another key": (
        401,
        {"error": "Unauthorized"},
        (500, "api_error", "The model's server refused this server's credentials."),
    ),
    "vLLM: no such path": (
        404,
        {"detail": "Not Found"},
        (500, "api_error", "The model's server has no chat completions at its configured address."),
    ),
    "vLLM: its engine has died": (
        500,
        of_vllm("EngineCore encountered an issue. See stack trace (above).", None, "InternalServerError", 500),
        (500, "api_error", "The model's server failed."),
    ),
    "vLLM: a prompt of too many characters": (
        400,
        of_vllm(CHARACTERS, "input_text"),
        (400, "invalid_request_error", "prompt is too long: 900 tokens > 512 maximum"),
    ),
    "vLLM: a prompt that was counted as far as it may go": (
        400,
        of_vllm(AT_LEAST, "input_tokens"),
        (400, "invalid_request_error", "prompt is too long: 900 tokens > 512 maximum"),
    ),
    "LiteLLM: a prompt that is too long for vLLM": (
        400,
        of_litellm(WRAPPED.format(kind="Hosted_vllmException", said=json.dumps(of_vllm(AT_LEAST, "input_tokens")))),
        (400, "invalid_request_error", "prompt is too long: 900 tokens > 512 maximum"),
    ),
    "LiteLLM: no such model": (
        400,
        of_litellm("/chat/completions: Invalid model name passed in model=m. Call `/v1/models` to view models."),
        (404, "not_found_error", "model: my-model"),
    ),
    "LiteLLM: another key, and no database to look for it": (
        400,
        of_litellm("No connected db.", "no_db_connection"),
        (500, "api_error", "The model's server refused this server's credentials."),
    ),
    "mlx: what its template refuses": (
        404,
        {"error": "System message must be at the beginning."},
        (400, "invalid_request_error", "System message must be at the beginning."),
    ),
    "mlx: an image": (
        404,
        {"error": "Only 'text' content type is supported."},
        (400, "invalid_request_error", "Only 'text' content type is supported."),
    ),
    "mlx: a wrong field": (
        400,
        {"error": "temperature must be at least 0"},
        (400, "invalid_request_error", "temperature must be at least 0"),
    ),
}


async def failure(fake: FakeOpenAI, turn_: EngineTurn, **more: Any) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as caught:
        await events_of(engine(fake.url, **more), turn_)
    return caught.value.status, caught.value.type, caught.value.message


def long_turn(max_tokens: int = 100) -> EngineTurn:
    made = turn(request(max_tokens=max_tokens))
    made.input_tokens = 900
    return made


@pytest.mark.parametrize("name", REFUSED)
async def test_what_another_server_refuses_is_an_error_of_the_api(name: str) -> None:
    status, body, expected = REFUSED[name]
    async with fake_openai(refused(status, body)) as fake:
        assert await failure(fake, long_turn()) == expected


# Ollama's is of its source (2026-08): it was not run.
OF_OLLAMA = "the prompt is longer than the context length currently available to the model; shorten the prompt"
NO_NUMBERS = [
    of_litellm(WRAPPED.format(kind="SomeException", said="the prompt is over the limit")),
    {"error": {"message": OF_OLLAMA, "type": "invalid_request_error", "param": None, "code": None}},
]


@pytest.mark.parametrize("body", NO_NUMBERS)
async def test_an_error_that_says_too_long_without_a_number_is_one(body: Json) -> None:
    async with fake_openai(refused(400, body)) as fake:
        status, _, message = await failure(fake, long_turn())
    assert status == 400
    assert message.startswith("prompt is too long: ")


async def test_a_path_that_is_not_there_is_no_fault_of_the_request() -> None:
    # mlx_lm.server, in a body that it calls JSON.
    async with fake_openai(refused(404, b"Not Found")) as fake:
        assert (await failure(fake, turn()))[:2] == (500, "api_error")


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_more_max_tokens_than_the_context_has_are_asked_for_again_with_as_many(field: str) -> None:
    text = f"{field}=2000 cannot be greater than max_model_len=512. Please request fewer output tokens."
    async with fake_openai(refused(400, of_vllm(text, field)), said("Hello")) as fake:
        assert told(await events_of(engine(fake.url, VLLM), turn(request(max_tokens=2000))))[0] == ("text", "Hello")
        assert [body["max_tokens"] for body in fake.bodies] == [2000, 512]


async def test_a_prompt_that_is_then_too_long_is_refused_as_one() -> None:
    first = of_vllm("max_tokens=2000 cannot be greater than max_model_len=512. Please request fewer output tokens.")
    async with fake_openai(refused(400, first), refused(400, of_vllm(AT_LEAST))) as fake:
        _, _, message = await failure(fake, long_turn(2000))
        assert message == "prompt is too long: 900 tokens > 512 maximum"
        assert len(fake.bodies) == 2


# --- counting ---


def counted(tokens: int) -> Reply:
    """vLLM lists every token beside their number."""
    body = {"count": tokens, "max_model_len": 131_072, "tokens": [100_000] * tokens, "token_strs": None}
    data = json.dumps(body).encode()
    return Reply([data[at : at + 16_384] for at in range(0, len(data), 16_384)], 200, "application/json")


@pytest.mark.parametrize("tokens", [40, 30_000])
async def test_a_long_prompt_is_counted_by_vllm_too(tokens: int) -> None:
    async with fake_openai(counted(tokens)) as fake:
        up = engine(fake.url, VLLM)
        assert await up.count(turn()) == tokens
        await up.close()
        assert fake.paths == ["/tokenize"]


@pytest.mark.parametrize("text", [CHARACTERS, AT_LEAST])
async def test_how_long_a_prompt_is_that_vllm_did_not_count_is_asked(text: str) -> None:
    async with fake_openai(refused(400, of_vllm(text)), counted(15_000)) as fake:
        _, _, message = await failure(fake, long_turn(), dialect=VLLM)
        assert message == "prompt is too long: 15000 tokens > 512 maximum"
        assert [path.rsplit("/", 1)[-1] for path in fake.paths] == ["completions", "tokenize"]

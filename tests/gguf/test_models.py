"""The made models do what their makers say, in llama.cpp itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictures import png
from tests.gguf import projector
from tests.gguf.llama_server import LlamaServer, llama_server
from tests.gguf.models import model_file, scripted_model
from tests.gguf.scripted import cut
from tests.gguf.vocabulary import as_characters, vocabulary

ROOT = Path(__file__).parents[2]
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "%s"}}\n</tool_call>'
GET_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
QUESTION = {"role": "user", "content": "How is the weather in Paris?"}
CALLED = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}},
        {"id": "2", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}},
    ],
}
RESULTS = [
    {"role": "tool", "tool_call_id": "1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "2", "content": "rain"},
]


@pytest.fixture(scope="module")
def tiny() -> Generator[LlamaServer]:
    with llama_server(model_file("tiny"), model_file("mmproj")) as server:
        yield server


def chat(server: LlamaServer, messages: list[Any] | None = None, **body: object) -> Any:
    """The one choice of a chat completion."""
    request = {"messages": messages or [QUESTION], "max_tokens": 100} | body
    return server.call("/v1/chat/completions", request)["choices"][0]


def says(sentence: str, messages: list[Any] | None = None, **body: object) -> Any:
    """What the model of one sentence answers."""
    with llama_server(scripted_model(sentence)) as server:
        return chat(server, messages, **body)["message"]


# --- files


def test_the_same_source_makes_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.gguf.models import model_file, scripted_model\n"
        "directory = Path(sys.argv[1])\n"
        "for path in model_file('tiny', directory), model_file('mmproj', directory), "
        "scripted_model('Yes.', after_tool_result='No!', directory=directory): print(path.name)"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", script, str(tmp_path / seed)]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed})
    made = {seed: {path.name: path.read_bytes() for path in (tmp_path / seed).iterdir()} for seed in ("1", "2")}
    assert len(made["1"]) == 3
    assert made["1"] == made["2"]


def test_a_model_is_made_once_and_kept(tmp_path: Path) -> None:
    path = model_file("mmproj", tmp_path)
    path.write_bytes(b"kept")
    assert model_file("mmproj", tmp_path).read_bytes() == b"kept"


def test_makers_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: model_file("mmproj", tmp_path), range(4)))
    assert paths == set(tmp_path.iterdir())
    assert paths.pop().read_bytes() == model_file("mmproj").read_bytes()


def test_another_sentence_is_another_file(tmp_path: Path) -> None:
    first, second = scripted_model("Yes.", directory=tmp_path), scripted_model("No.", directory=tmp_path)
    third = scripted_model("Yes.", after_tool_result="No.", directory=tmp_path)
    assert len({first, second, third}) == 3


def test_models_are_small() -> None:
    assert model_file("tiny").stat().st_size < 20_000_000
    assert model_file("mmproj").stat().st_size < 1_000_000
    assert scripted_model("Yes.").stat().st_size < 20_000_000


# --- tiny


def test_tiny_has_a_large_vocabulary_and_a_large_context(tiny: LlamaServer) -> None:
    (model,) = tiny.call("/v1/models")["data"]
    assert model["meta"]["n_vocab"] >= 8_192
    assert model["meta"]["n_ctx_train"] >= 262_144


def test_tiny_says_printable_text_until_it_is_stopped(tiny: LlamaServer) -> None:
    for seed in range(5):
        choice = chat(tiny, seed=seed, temperature=2, top_k=0, top_p=1, min_p=0)
        assert choice["finish_reason"] == "length"
        assert all(" " <= character <= "~" or character == "\n" for character in choice["message"]["content"])


def test_tiny_says_different_things(tiny: LlamaServer) -> None:
    assert chat(tiny, seed=1)["message"] != chat(tiny, seed=2)["message"]
    assert chat(tiny, temperature=0)["message"] == chat(tiny, temperature=0)["message"]


def test_an_image_takes_its_place_in_the_prompt(tiny: LlamaServer) -> None:
    def ask(picture: bytes | None) -> Any:
        parts: list[Any] = [{"type": "text", "text": "What is this?"}]
        if picture is not None:
            url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        messages = [{"role": "user", "content": parts}]
        return tiny.call("/v1/chat/completions", {"messages": messages, "max_tokens": 20, "temperature": 0})

    without, with_one = ask(None), ask(png(40, 30))
    assert with_one["usage"]["prompt_tokens"] == without["usage"]["prompt_tokens"] + projector.TOKENS
    assert with_one["choices"][0]["message"] != without["choices"][0]["message"]


# --- the vocabulary and the template


def python_tokenizer() -> Any:
    """The vocabulary in the `tokenizers` library, with the regular expression that llama.cpp calls `qwen2`."""
    import tokenizers

    words = vocabulary(8_448)
    ids = {token: number for number, token in enumerate(words.tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ids, words.merges))
    expression = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+"
    )
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(expression), "isolated")
    by_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, by_bytes])
    special = [token for token, kind in zip(words.tokens, words.types, strict=True) if kind != 1]
    tokenizer.add_special_tokens([tokenizers.AddedToken(token, normalized=False, special=True) for token in special])
    return tokenizer


def test_llama_cpp_and_tokenizers_count_the_same_tokens(tiny: LlamaServer) -> None:
    tokenizer = python_tokenizer()
    messages = [
        QUESTION,
        CALLED,
        *RESULTS,
        {"role": "user", "content": "Grüße aus 東京 😀!\n\n  I'll take 1,234.5 m²\t."},
    ]
    prompt = tiny.call("/apply-template", {"messages": messages, "tools": [GET_WEATHER]})["prompt"]
    for text in (
        prompt,
        Path(__file__).read_text(encoding="utf-8"),
        "e\u0301 \u200d \x00 <|im_start|> <think></think>",
    ):
        ids = tiny.call("/tokenize", {"content": text, "parse_special": True})["tokens"]
        assert ids == tokenizer.encode(text, add_special_tokens=False).ids
        assert tiny.call("/detokenize", {"tokens": ids})["content"] == text


def test_common_words_are_one_token(tiny: LlamaServer) -> None:
    pieces = tiny.call("/tokenize", {"content": "What is the weather in the city?", "with_pieces": True})["tokens"]
    assert [piece["piece"] for piece in pieces] == ["What", " is", " the", " weather", " in", " the", " city", "?"]


def test_the_template_renders_a_conversation_with_tools(tiny: LlamaServer) -> None:
    system = {"role": "system", "content": "Be brief."}
    thought = {"role": "assistant", "content": "Both are warm.", "reasoning_content": "sunny, rain"}
    parts = {"role": "user", "content": [{"type": "text", "text": "And "}, {"type": "text", "text": "Oslo?"}]}
    messages = [system, QUESTION, CALLED, *RESULTS, thought, parts]
    prompt = tiny.call("/apply-template", {"messages": messages, "tools": [GET_WEATHER]})["prompt"]
    before, _, rest = prompt.partition("<tools>\n")
    listed, _, after = rest.partition("\n</tools>")
    assert before.startswith("<|im_start|>system\nBe brief.\n\n")
    assert json.loads(listed) == GET_WEATHER
    _, _, turns = after.partition("<|im_end|>\n")
    assert turns == (
        "<|im_start|>user\nHow is the weather in Paris?<|im_end|>\n"
        f"<|im_start|>assistant\n{CALL % 'Paris'}\n{CALL % 'Rome'}<|im_end|>\n"
        "<|im_start|>user\n<tool_response>\nsunny\n</tool_response>\n<tool_response>\nrain\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n<think>\nsunny, rain\n</think>\n\nBoth are warm.<|im_end|>\n"
        "<|im_start|>user\nAnd Oslo?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_the_template_turns_thinking_off(tiny: LlamaServer) -> None:
    def prompt(**kwargs: bool) -> str:
        return tiny.call("/apply-template", {"messages": [QUESTION], "chat_template_kwargs": kwargs})["prompt"]

    question = "<|im_start|>user\nHow is the weather in Paris?<|im_end|>\n<|im_start|>assistant\n"
    assert prompt() == prompt(enable_thinking=True) == question
    assert prompt(enable_thinking=False) == question + "<think>\n\n</think>\n\n"


# --- scripted


@pytest.fixture(scope="module")
def weatherman() -> Generator[LlamaServer]:
    model = scripted_model(f"I will look.\n{CALL % 'Paris'}", after_tool_result="It is sunny in Paris, Texas.")
    with llama_server(model, model_file("mmproj")) as server:
        yield server


def test_a_scripted_model_says_its_sentence_at_any_temperature() -> None:
    sentence = "The rain, the wind and the sun: 😀 日本語も. The end!"
    with llama_server(scripted_model(sentence)) as server:
        for temperature in (0, 1, 2):
            choice = chat(server, temperature=temperature)
            assert choice["message"]["content"] == sentence
            assert choice["finish_reason"] == "stop"


def test_a_scripted_model_is_cut_short_by_max_tokens() -> None:
    with llama_server(scripted_model("One two three four.")) as server:
        choice = chat(server, max_tokens=2)
    assert choice["message"]["content"] == "One two"
    assert choice["finish_reason"] == "length"


def test_a_scripted_model_thinks() -> None:
    message = says("<think>\nNow I think.\n</think>\n\nThe answer is 42.")
    assert message["reasoning_content"].strip() == "Now I think."
    assert message["content"] == "The answer is 42."


def test_a_scripted_model_calls_two_tools() -> None:
    message = says(f"<think>\nSo.\n</think>\n\n{CALL % 'Paris'}\n{CALL % 'Rome'}", tools=[GET_WEATHER])
    calls = [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]]
    assert calls == [{"city": "Paris"}, {"city": "Rome"}]


def test_without_a_grammar_a_broken_call_is_said_as_it_is() -> None:
    broken = '<tool_call>\n{"name": get_weather, "arguments"\n</tool_call>'
    assert says(broken)["content"] == broken


def test_a_broken_character_in_a_call_is_an_error_of_llama_cpps_parser() -> None:
    """The parser's failure that engines must expect of real models, here each time."""
    broken = "\udcff"
    with llama_server(scripted_model(f"Well.\n{CALL % broken}")) as server:
        status, answer = server.exchange("/v1/chat/completions", {"messages": [QUESTION], "tools": [GET_WEATHER]})
    assert status == 500
    assert "does not match the expected" in answer["error"]["message"]


def test_a_scripted_model_says_what_a_schema_allows() -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    response_format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert says('{"answer": "yes"}', response_format=response_format)["content"] == '{"answer": "yes"}'


def test_a_scripted_model_answers_once_it_has_the_result(weatherman: LlamaServer) -> None:
    first = chat(weatherman, tools=[GET_WEATHER])
    assert first["finish_reason"] == "tool_calls"
    assert first["message"]["content"].strip() == "I will look."
    for temperature in (0, 2):
        second = chat(weatherman, [QUESTION, CALLED, *RESULTS], tools=[GET_WEATHER], temperature=temperature)
        assert second["message"]["content"] == "It is sunny in Paris, Texas."
        assert second["finish_reason"] == "stop"


def test_a_result_far_back_is_still_seen(weatherman: LlamaServer) -> None:
    later = {"role": "user", "content": "And now? " * 600}
    choice = chat(weatherman, [QUESTION, CALLED, *RESULTS, later])
    assert choice["message"]["content"] == "It is sunny in Paris, Texas."
    assert "I will look." in chat(weatherman, [later])["message"]["content"]


def test_an_image_changes_nothing_for_a_scripted_model(weatherman: LlamaServer) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png(40, 30)).decode()}"
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    assert "I will look." in chat(weatherman, [image])["message"]["content"]
    choice = chat(weatherman, [QUESTION, CALLED, *RESULTS, image])
    assert choice["message"]["content"] == "It is sunny in Paris, Texas."


@given(st.text("ab .\n😀", max_size=30), st.sets(st.sampled_from(["a", " b", "."])))
@settings(max_examples=200)
def test_a_sentence_is_cut_into_different_tokens(sentence: str, said: set[str]) -> None:
    taken = {as_characters(text.encode()) for text in said}
    try:
        tokens = cut(sentence, taken)
    except ValueError:
        return
    assert "".join(tokens) == as_characters(sentence.encode())
    assert len(set(tokens) | taken) == len(tokens) + len(taken)


def test_a_sentence_whose_end_cannot_be_told_is_refused() -> None:
    with pytest.raises(ValueError, match="repeats"):
        cut("yes", said=["yes"])

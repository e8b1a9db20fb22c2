"""Bodies made to hurt: they are refused or accepted quickly, and nothing but InvalidRequestError comes out."""

import subprocess
import sys
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import parse_json, validator
from understudy.wire.versions import BETAS

BODY: dict[str, Any] = {"model": "m", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
ALL = tuple(BETAS)
DEEP_LIST: Any = orjson.loads(b"[" * 1000 + b"]" * 1000)
DEEP_OBJECT: Any = orjson.loads(b'{"a":' * 1000 + b"1" + b"}" * 1000)
MANY = {f"k{n}": n for n in range(20_000)}


def fault(body: object) -> str | None:
    check = validator("messages", "2023-06-01", ALL).check
    start = time.perf_counter()
    try:
        check(body)
    except InvalidRequestError as exc:
        return exc.message
    finally:
        assert time.perf_counter() - start < 0.2
    return None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (BODY | MANY, "k0"),
        (BODY | {"metadata": MANY}, "metadata.k0"),
        (BODY | {"messages": [BODY["messages"][0] | MANY]}, "messages.0.k0"),
        (BODY | {"thinking": {"type": "disabled"} | MANY}, "thinking.disabled.k0"),
    ],
)
def test_the_first_of_20000_unknown_keys_is_reported(body: object, path: str):
    assert fault(body) == f"{path}: Extra inputs are not permitted"


def test_20000_bad_entries_of_a_mapping_give_the_first():
    toolset = {"type": "mcp_toolset", "mcp_server_name": "s", "configs": MANY}
    assert fault(BODY | {"tools": [toolset]}) == (
        "tools.0.mcp_toolset.configs.k0: Input does not match the expected shape."
    )


@pytest.mark.parametrize("field", ["messages", "tools", "stop_sequences", "system"])
def test_20000_bad_items_of_a_list_give_the_first(field: str):
    message = fault(BODY | {field: [7] * 20_000})
    assert message is not None
    assert message.startswith(f"{field}.0: Input ")


def test_more_messages_than_the_api_takes_are_refused():
    many = BODY | {"messages": BODY["messages"] * 100_001}
    with pytest.raises(InvalidRequestError, match="List should have at most 100000 items after validation"):
        validator("messages", "2023-06-01", ()).check(many)


def test_an_unknown_key_of_a_megabyte_is_not_echoed_whole():
    message = fault(BODY | {"k" * 1_000_000: 1})
    assert message is not None
    assert len(message) < 10_000


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("deep", [DEEP_LIST, DEEP_OBJECT], ids=["list", "object"])
@pytest.mark.parametrize("field", [*BODY, "tools", "system", "thinking", "tool_choice", "container", "fallbacks", "z"])
def test_depth_is_no_danger_where_something_else_is_due(field: str, deep: object):
    assert fault(BODY | {field: deep}) is not None
    assert fault(BODY | {field: {"type": deep}}) is not None
    assert fault(BODY | {field: [{"type": deep}]}) is not None
    assert fault(BODY | {field: [{"role": deep, "content": deep}]}) is not None


def test_depth_is_accepted_where_anything_is():
    tools = [{"name": "f", "input_schema": {"type": "object", "properties": DEEP_OBJECT, "x": DEEP_LIST}}]
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": DEEP_OBJECT}
    assert fault(BODY | {"tools": tools, "messages": [{"role": "assistant", "content": [use]}]}) is None


@pytest.mark.parametrize("number", ["99999999999999999999999", "1e400", "-1e400", "18446744073709551615.0"])
def test_a_number_out_of_range_is_no_max_tokens(number: str):
    body = orjson.dumps(BODY).replace(b"16", number.encode())
    try:
        message = fault(parse_json(body))
    except InvalidRequestError as exc:
        message = exc.message
    assert message is not None


def test_the_body_is_left_as_it_was():
    before = orjson.dumps(BODY)
    assert fault(BODY) is None
    assert orjson.dumps(BODY) == before


def test_importing_builds_nothing_and_leaves_pydantic_itself_out():
    code = "import sys, understudy.wire.validation as v; print('pydantic' in sys.modules, v._validator.cache_info())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer.startswith("False CacheInfo(hits=0, misses=0, maxsize=128")


KEYS = st.sampled_from(
    "model messages max_tokens role content type text source data tools name input_schema system thinking tool_choice "
    "tool_use_id input id cache_control ttl citations edits configs keep trigger container skills fallbacks".split()
) | st.text(max_size=4)
VALUES = st.sampled_from(
    "user assistant system text image tool_use tool_result document base64 ephemeral enabled custom mcp_toolset".split()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


@given(JSON, st.sampled_from(["messages", "count_tokens"]), st.booleans())
def test_check_raises_nothing_but_invalid_request_error(value: Any, endpoint: Any, betas: bool):
    check = validator(endpoint, "2023-06-01", ALL if betas else ()).check
    for body in (value, BODY | value if isinstance(value, dict) else BODY | {"messages": value}):
        try:
            check(body)
        except InvalidRequestError as exc:
            assert exc.message

"""The table of versions and betas, and the header that names them."""

import time

import pytest

from understudy.wire.gates import Beta, Until, unwrap
from understudy.wire.requests import blocks, common, media, options, params, results, tool_changes, tools
from understudy.wire.schema import build_validator
from understudy.wire.validation import validator
from understudy.wire.versions import (
    BETAS,
    VERSIONS,
    gating_betas,
    parse_betas,
    unknown_betas,
    unknown_betas_message,
    variant_of,
)

MODULES = (blocks, common, media, options, params, results, tool_changes, tools)


def gates_in(annotation: object) -> set[object]:
    unwrapped = unwrap(annotation)
    found: set[object] = {marker for marker in unwrapped.markers if isinstance(marker, Beta | Until)}
    for inner in getattr(unwrapped.type, "__args__", ()):
        found |= gates_in(inner)
    return found


def all_gates() -> set[object]:
    found: set[object] = set()
    for module in MODULES:
        for value in vars(module).values():
            found |= gates_in(value)
            for annotation in getattr(value, "__annotations__", {}).values():
                found |= gates_in(annotation)
    return found


def test_every_beta_of_the_official_sdk_is_in_the_table():
    sdk = pytest.importorskip("anthropic.types.anthropic_beta_param")
    *_, literal = sdk.AnthropicBetaParam.__args__
    assert set(literal.__args__) - set(BETAS) == set()


def test_the_table_says_request_of_exactly_those_betas_that_the_request_types_name():
    named = {name for gate in all_gates() if isinstance(gate, Beta) for name in gate.names}
    assert named == {beta.name for beta in BETAS.values() if beta.effect == "request"}


def test_the_request_types_name_no_version_that_does_not_exist():
    assert {gate.version for gate in all_gates() if isinstance(gate, Until)} <= set(VERSIONS)


def test_every_row_names_its_source():
    assert all(row.source and row.name == name for table in (VERSIONS, BETAS) for name, row in table.items())


def test_betas_come_from_lists_and_repeated_headers_trimmed_and_once():
    assert parse_betas(["b , a,,", " a", "c,b"]) == ("b", "a", "c")
    assert parse_betas([]) == ()
    assert parse_betas([" , ,"]) == ()


def test_unknown_betas_are_named_in_the_documented_text():
    assert unknown_betas(("x", "fast-mode-2026-02-01", "y")) == ("x", "y")
    assert unknown_betas_message(("x", "y")) == (
        "Unexpected value(s) `x`, `y` for the `anthropic-beta` header. Please consult our documentation at "
        "platform.claude.com/docs or try again without the header."
    )


def test_only_betas_that_change_a_shape_are_kept_as_a_key():
    assert gating_betas(("claude-code-20250219", "fast-mode-2026-02-01", "nonsense")) == {"fast-mode-2026-02-01"}
    assert validator("messages", "2026-10-21", ("nonsense", "oauth-2025-04-20")) is validator(
        "messages", "2026-10-21", ()
    )


def test_a_version_that_does_not_exist_has_no_validator():
    with pytest.raises(ValueError, match="2020-01-01"):
        validator("messages", "2020-01-01", ())


@pytest.mark.parametrize("header", [["x" * 100_000], [",".join(f"b{n}" for n in range(10_000))], [","] * 50_000])
def test_a_huge_header_takes_little_time(header: list[str]):
    start = time.perf_counter()
    gating_betas(unknown_betas(parse_betas(header)))
    assert time.perf_counter() - start < 0.2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cls", [params.MessageCreateParams, params.MessageCountTokensParams])
def test_a_validator_can_be_built_for_no_beta_each_beta_and_all_betas(version: str, cls: type):
    build_validator(cls, variant_of(version, ()))
    for name in BETAS:
        if gating_betas((name,)):
            build_validator(cls, variant_of(version, (name,)))
    build_validator(cls, variant_of(version, BETAS))

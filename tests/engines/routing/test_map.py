"""The model map."""

from __future__ import annotations

import pytest

from engines.routing.engines import Scripted
from understudy.engines.catalog import public_models
from understudy.engines.claude import ClaudeSettings, ClaudeUpstream
from understudy.engines.routing import Backend, Facts, Mapped, MappedTarget, Route, Routing
from understudy.wire.errors import NotFoundError

SIMULATOR, VLLM = Scripted("simulator"), Scripted("vllm")
BACKENDS = {
    "vllm": Backend(engine=VLLM),
    "upstream": Backend(claude=ClaudeUpstream("upstream", ClaudeSettings("http://127.0.0.1:9"))),
}


def mapped(name: str, *targets: tuple[str, str], facts: Facts | None = None) -> Mapped:
    return Mapped(name, tuple(MappedTarget(*one) for one in targets), facts or Facts())


def engines_of(route: Route) -> list[tuple[str, str]]:
    assert route.chain is not None
    return [(one.model.engine, one.model.upstream) for one in route.chain.targets]


def test_without_a_map_every_catalog_name_goes_to_the_engine() -> None:
    routing = Routing(SIMULATOR, ["my-model"])
    assert routing.resolve("my-model").engine is SIMULATOR
    assert routing.resolve("claude-sonnet-4-5").header == b"simulator/claude-sonnet-4-5-20250929"
    assert [model.id for model in routing.models()][:-1] == [model.id for model in public_models()]
    with pytest.raises(NotFoundError, match=r"^model: nope$"):
        routing.resolve("nope")


def test_a_mapped_name_takes_the_models_other_names_along_unless_they_are_mapped_themselves() -> None:
    routing = Routing(
        SIMULATOR,
        mapped=[mapped("claude-sonnet-4-5", ("vllm", "qwen")), mapped("claude-opus-4-1", ("vllm", "a"))],
        backends=BACKENDS,
    )
    for name in ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"):
        assert engines_of(routing.resolve(name)) == [("vllm", "qwen")]
    assert routing.resolve("claude-sonnet-4-5").header == b"vllm/qwen"
    assert routing.resolve("claude-haiku-4-5").engine is SIMULATOR
    both = Routing(
        None,
        mapped=[
            mapped("claude-sonnet-4-5", ("vllm", "alias")),
            mapped("claude-sonnet-4-5-20250929", ("vllm", "dated")),
        ],
        backends=BACKENDS,
    )
    assert engines_of(both.resolve("claude-sonnet-4-5")) == [("vllm", "alias")]
    assert engines_of(both.resolve("claude-sonnet-4-5-20250929")) == [("vllm", "dated")]
    assert [model.id for model in both.models()] == ["claude-sonnet-4-5-20250929"]
    with pytest.raises(NotFoundError):
        both.resolve("claude-haiku-4-5")


def test_every_takes_what_nothing_else_does_and_may_hand_the_name_on() -> None:
    routing = Routing(SIMULATOR, mapped=[mapped("*", ("vllm", "*"))], backends=BACKENDS)
    route = routing.resolve("some/model")
    assert engines_of(route) == [("vllm", "some/model")]
    assert route.model.id == "some/model"
    assert routing.resolve("claude-haiku-4-5").engine is SIMULATOR
    assert "some/model" not in routing.names()
    without = Routing(None, mapped=[mapped("*", ("vllm", "*"))], backends=BACKENDS)
    assert without.resolve("claude-haiku-4-5").model.id == "claude-haiku-4-5-20251001"
    assert engines_of(without.resolve("claude-haiku-4-5")) == [("vllm", "claude-haiku-4-5")]


def test_names_of_clients_neither_fill_the_memory_nor_break_a_header() -> None:
    routing = Routing(None, mapped=[mapped("*", ("vllm", "*"))], backends=BACKENDS)
    for number in range(3_000):
        routing.resolve(f"name-{number}")
    assert len(routing._others) <= 1_024
    assert routing.resolve("a\r\nset-cookie: ä").header == b"vllm/a??set-cookie: ?"
    with pytest.raises(NotFoundError):
        routing.resolve("x" * 300)


def test_the_targets_of_one_backend_share_their_health_whatever_the_chain() -> None:
    routing = Routing(
        None, mapped=[mapped("a", ("vllm", "m")), mapped("b", ("vllm", "m"), ("vllm", "n"))], backends=BACKENDS
    )
    a, b = routing.resolve("a").chain, routing.resolve("b").chain
    assert a is not None and b is not None
    assert a.targets[0].breaker is b.targets[0].breaker is not b.targets[1].breaker
    assert a.targets[0].slots is b.targets[1].slots


def test_facts_stand_over_the_catalogs() -> None:
    facts = Facts(max_input_tokens=32_768, max_tokens=4_096, image_input=False, thinking=False, display_name="Qwen")
    routing = Routing(None, mapped=[mapped("claude-opus-5", ("vllm", "m"), facts=facts)], backends=BACKENDS)
    model = routing.resolve("claude-opus-5").model
    assert (model.max_input_tokens, model.max_tokens, model.display_name) == (32_768, 4_096, "Qwen")
    assert not model.capabilities.image_input and not model.capabilities.thinks and model.capabilities.pdf_input
    assert routing.models() == (model,)


def test_what_may_be_forwarded_is_told() -> None:
    assert Routing(None, mapped=[mapped("*", ("upstream", "*"))], backends=BACKENDS).forwards
    routing = Routing(SIMULATOR, mapped=[mapped("m", ("vllm", "x"), ("upstream", "y"))], backends=BACKENDS)
    assert routing.forwards and routing.resolve("m").forwards
    assert not routing.resolve("claude-opus-5").forwards
    assert not Routing(SIMULATOR).forwards


@pytest.mark.parametrize(
    "wrong",
    [
        [mapped("m", ("nowhere", "x"))],
        [mapped("m")],
        [mapped("m", ("vllm", "x")), mapped("m", ("vllm", "y"))],
    ],
)
def test_a_map_that_cannot_be_is_refused(wrong: list[Mapped]) -> None:
    with pytest.raises(ValueError, match=r"^the model m "):
        Routing(None, mapped=wrong, backends=BACKENDS)


def test_an_engine_that_is_put_in_answers_for_its_names_until_it_is_dropped() -> None:
    routing = Routing(SIMULATOR, mapped=[mapped("both", ("vllm", "a"), ("upstream", "b"))], backends=BACKENDS)
    before = routing.find("claude-opus-5")
    routing.put("late", BACKENDS["vllm"], [mapped("my-gguf", ("late", "my-gguf"))])
    assert routing.resolve("my-gguf").target.engine == "late"
    assert "my-gguf" in {model.id for model in routing.models()}
    with pytest.raises(ValueError, match="late already"):
        routing.put("late", BACKENDS["vllm"], [])
    with pytest.raises(ValueError, match="mapped twice"):
        routing.put("later", BACKENDS["vllm"], [mapped("my-gguf", ("later", "m"))])
    assert "later" not in routing.backends
    assert routing.drop("late") is BACKENDS["vllm"]
    assert routing.find("my-gguf") is None
    after = routing.find("claude-opus-5")
    assert before is not None
    assert after is not None
    assert after.target == before.target
    # A line that leads elsewhere too only loses the target.
    routing.drop("vllm")
    chain = routing.resolve("both").chain
    assert chain is not None
    assert [target.model.engine for target in chain.targets] == ["upstream"]
    with pytest.raises(KeyError):
        routing.drop("vllm")

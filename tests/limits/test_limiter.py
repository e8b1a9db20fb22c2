from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import in_process
from limits.limiters import MODEL, Bench, caller, headers_of
from understudy.http.record import RequestRecord
from understudy.limits.admission import Admission
from understudy.limits.config import Commitment, FastLimits, KeyBudget, ModelLimits, RampRule
from understudy.limits.groups import Groups
from understudy.limits.refusals import LimitExceededError
from understudy.limits.snapshot import Snapshot


async def left(bench: Bench, what: str = "input-tokens") -> int:
    """Whole units that remain of a limiter of the organization."""
    kind = {"requests": "requests_per_minute", "output-tokens": "output_tokens_per_minute"}
    limiter = kind.get(what, "input_tokens_per_minute_cache_aware")
    plan = bench.limiter._plan(caller(), "messages", MODEL, fast=False)
    line = next(each for each in plan.lines if each.limiter == limiter)
    return (await bench.store.peek([line.bucket]))[0] // line.bucket.unit


async def test_the_estimate_is_replaced_by_what_was_used() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=10_000)
    assert await left(bench) == 20_000
    await admission.settle(
        input_tokens=1_000,
        cache_creation_5m_input_tokens=500,
        cache_creation_1h_input_tokens=250,
        cache_read_input_tokens=20_000,
        output_tokens=100,
    )
    assert await left(bench) == 28_250
    assert await left(bench, "output-tokens") == 7_900
    assert await left(bench, "requests") == 49


async def test_an_admission_ends_once() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=10_000)
    await admission.settle(input_tokens=4_000, output_tokens=10)
    await admission.settle(input_tokens=0, output_tokens=0)
    await admission.abort()
    await admission.produce(500)
    assert await left(bench) == 26_000
    assert await left(bench, "output-tokens") == 7_990


async def test_output_counts_as_it_is_produced() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL, max_tokens=64_000)
    assert await left(bench, "output-tokens") == 8_000
    for _ in range(3):
        await admission.produce(1_000)
    assert await left(bench, "output-tokens") == 5_000
    await admission.settle(input_tokens=0, output_tokens=3_100)
    assert await left(bench, "output-tokens") == 4_900


async def test_output_is_reserved_where_the_setting_says_so() -> None:
    bench = Bench(otpm_accounting="reserve")
    admission = await bench.limiter.begin(caller(), model=MODEL, max_tokens=6_000)
    assert await left(bench, "output-tokens") == 2_000
    with pytest.raises(LimitExceededError, match="8,000 output tokens per minute"):
        await bench.limiter.begin(caller(), model=MODEL, max_tokens=6_000)
    await admission.produce(500)
    assert await left(bench, "output-tokens") == 2_000
    await admission.settle(input_tokens=0, output_tokens=500)
    assert await left(bench, "output-tokens") == 7_500


async def test_a_request_is_refused_while_output_is_in_debt() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL)
    await admission.settle(input_tokens=0, output_tokens=9_000)
    with pytest.raises(LimitExceededError) as refused:
        await bench.limiter.begin(caller(), model=MODEL)
    bench.clock.wait(int(refused.value.headers["retry-after"]))
    await bench.limiter.begin(caller(), model=MODEL)


async def test_models_have_limits_of_their_own() -> None:
    bench = Bench()
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=30_000)
    await bench.limiter.begin(caller(), model="claude-opus-4-6", input_tokens=30_000)
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), model="claude-sonnet-4-6", input_tokens=1)


async def test_organizations_have_limits_of_their_own_and_tiers() -> None:
    bench = Bench(Snapshot(tiers={"org-b": "tier_4"}))
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=30_000)
    await bench.limiter.begin(caller(organization="org-b"), model=MODEL, input_tokens=2_000_000)


async def test_a_refused_request_takes_nothing_from_any_bucket() -> None:
    bench = Bench()
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=30_001)
    assert (await left(bench), await left(bench, "requests")) == (30_000, 50)


async def test_a_request_larger_than_the_bucket_is_refused_and_told_no_time() -> None:
    bench = Bench()
    with pytest.raises(LimitExceededError) as refused:
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=31_000)
    assert "retry-after" not in refused.value.headers
    assert not refused.value.retry


async def test_observing_refuses_nothing_and_says_what_would_have_been() -> None:
    bench = Bench(mode="observe")
    admissions = [await bench.limiter.begin(caller(), model=MODEL, input_tokens=20_000) for _ in range(3)]
    assert [each.exceeded for each in admissions] == [
        None,
        "organization/input_tokens_per_minute_cache_aware -10000/30000",
        "organization/input_tokens_per_minute_cache_aware -30000/30000",
    ]
    assert headers_of(admissions[2].headers)["input-tokens-remaining"] == "0"


async def test_a_workspace_may_have_a_mode_of_its_own() -> None:
    bench = Bench(Snapshot(modes={"wrkspc_a": "observe"}))
    await bench.limiter.begin(caller("wrkspc_a"), model=MODEL, input_tokens=40_000)
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller("wrkspc_b"), model=MODEL, input_tokens=40_000)


async def test_a_change_of_settings_counts_from_the_next_request() -> None:
    bench = Bench()
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=40_000)
    bench.overrides.snapshot = Snapshot(tiers={caller().organization_id: "tier_2"})
    bench.clock.wait(60)
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=40_000)


@pytest.mark.parametrize(
    ("budget", "period"),
    [
        (KeyBudget(requests_per_minute=2), 30),
        (KeyBudget(requests_per_day=2), 43_200),
        (KeyBudget(tokens_per_minute=2_000), 30),
        (KeyBudget(tokens_per_day=2_000), 43_200),
    ],
)
async def test_a_key_has_a_budget_of_its_own(budget: KeyBudget, period: int) -> None:
    bench = Bench(Snapshot(budgets={"apikey_a": budget}), tier="custom")
    for _ in range(2):
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=1_000)
    with pytest.raises(LimitExceededError, match=r"your API key's rate limit .*API key: apikey_a") as refused:
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=1_000)
    assert refused.value.headers["retry-after"] == str(period)
    await bench.limiter.begin(caller(key="apikey_b"), model=MODEL, input_tokens=1_000)


async def test_a_key_without_a_budget_follows_the_installation_s() -> None:
    bench = Bench(
        Snapshot(budgets={"apikey_a": KeyBudget(tokens_per_day=10)}), key_budget=KeyBudget(requests_per_minute=1)
    )
    await bench.limiter.begin(caller(), model=MODEL)
    with pytest.raises(LimitExceededError, match="1 requests per minute"):
        await bench.limiter.begin(caller(), model=MODEL)


async def test_models_of_the_configuration_have_the_limits_that_it_gives() -> None:
    bench = Bench(configured=("mine",), other_models=ModelLimits(requests_per_minute=1))
    await bench.limiter.begin(caller(), model="mine")
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), model="mine")
    await bench.limiter.begin(caller(), model="unheard-of")
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), model="unheard-of-too")


async def test_fast_requests_draw_from_limits_of_their_own() -> None:
    bench = Bench(fast=FastLimits(1_000, 500))
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=900, fast=True)
    await admission.settle(input_tokens=900, output_tokens=400)
    found = headers_of(admission.headers)
    assert found["anthropic-fast-input-tokens-limit"] == "1000"
    assert found["anthropic-fast-output-tokens-remaining"] == "100"
    assert (await left(bench), await left(bench, "requests")) == (30_000, 49)
    with pytest.raises(LimitExceededError, match="1,000 fast mode input tokens per minute"):
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=900, fast=True)
    standard = await bench.limiter.begin(caller(), model=MODEL, input_tokens=900)
    assert not any(b"fast" in name for name, _ in standard.headers)


async def test_a_commitment_serves_requests_until_it_is_used_up() -> None:
    bench = Bench(priority=(Commitment(MODEL, 10_000, 1_000),))
    first = await bench.limiter.begin(caller(), model=MODEL, input_tokens=8_000)
    assert first.service_tier == "priority"
    await first.settle(
        input_tokens=0, cache_read_input_tokens=1_000, cache_creation_1h_input_tokens=4_000, output_tokens=5
    )
    found = headers_of(first.headers)
    assert found["anthropic-priority-input-tokens-limit"] == "10000"
    assert found["anthropic-priority-input-tokens-remaining"] == "2000"
    second = await bench.limiter.begin(caller(), model=MODEL, input_tokens=3_000)
    assert second.service_tier == "standard"
    third = await bench.limiter.begin(caller(), model=MODEL, input_tokens=1, service_tier="standard_only")
    assert third.service_tier == "standard"
    assert not any(b"priority" in name for name, _ in third.headers)


async def test_in_the_us_alone_a_token_is_more_of_a_commitment() -> None:
    bench = Bench(priority=(Commitment(MODEL, 100_000, 50_000),))
    first = await bench.limiter.begin(caller(), model=MODEL, input_tokens=1_000)
    record = RequestRecord("req_1", 0.0, "POST", "/v1/messages")
    record.input_tokens, record.output_tokens, record.inference_geo = 20_000, 10_000, "us"
    await first.finish(record)
    found = headers_of(first.headers)
    assert found["anthropic-priority-input-tokens-remaining"] == "78000"
    assert found["anthropic-priority-output-tokens-remaining"] == "39000"


async def test_uses_of_server_tools_are_counted_by_the_second_where_a_workspace_bounds_them() -> None:
    group = Groups().of_type("web_search")
    snapshot = Snapshot(workspace_limits={"wrkspc_a": {group.id: {"tool_uses_per_second": 2}}})
    bench = Bench(snapshot)
    for _ in range(2):
        await bench.limiter.begin(caller(), "web_search")
    with pytest.raises(LimitExceededError, match="workspace's rate limit of 2 tool uses per second") as refused:
        await bench.limiter.begin(caller(), "web_search")
    assert refused.value.headers["retry-after"] == "1"
    await bench.limiter.begin(caller("wrkspc_b"), "web_search")
    bench.clock.wait(0.5)
    await bench.limiter.begin(caller(), "web_search")


async def test_traffic_that_grows_too_fast_is_refused_by_the_ramp_limit() -> None:
    bench = Bench(tier="tier_4", ramp=RampRule(growth=2.0, free_share=0.01))
    admitted: list[int] = []
    for _ in range(4):
        count = 0
        while True:
            try:
                await bench.limiter.begin(caller(), model=MODEL)
            except LimitExceededError as error:
                assert error.details == {"error_code": "ramp_limit_exceeded"}
                bench.clock.wait(int(error.headers["retry-after"]))
                break
            count += 1
        admitted.append(count)
    assert admitted == [40, 80, 160, 320]


async def test_what_is_not_settled_when_a_block_ends_is_given_back() -> None:
    bench = Bench()
    with pytest.raises(ZeroDivisionError):
        async with await bench.limiter.begin(caller(), model=MODEL, input_tokens=10_000):
            raise ZeroDivisionError
    assert (await left(bench), await left(bench, "requests")) == (30_000, 49)


@pytest.mark.parametrize(("began", "remaining"), [(False, 30_000), (True, 22_000)])
async def test_the_record_of_a_request_tells_what_it_used(began: bool, remaining: int) -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=10_000)
    record = RequestRecord("req_1", 0.0, "POST", "/v1/messages")
    if began:
        record.input_tokens, record.cache_creation_5m_input_tokens, record.output_tokens = 7_000, 1_000, 50
    await admission.finish(record)
    assert await left(bench) == remaining


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["settle", "abort", "produce"]), st.integers(-(1 << 40), 1 << 40), st.integers(-5, 1 << 40)
        ),
        max_size=8,
    ),
    st.sampled_from(["reserve", "actual"]),
)
@settings(in_process, max_examples=in_process.max_examples // 5)
def test_whatever_is_settled_buckets_recover_within_two_minutes(
    steps: list[tuple[str, int, int]], accounting: str
) -> None:
    import asyncio

    async def run() -> None:
        bench = Bench(mode="observe", otpm_accounting=accounting)
        admissions: list[Admission] = []
        for step, tokens, output in steps:
            admissions.append(await bench.limiter.begin(caller(), model=MODEL, input_tokens=tokens, max_tokens=output))
            if step == "settle":
                await admissions[-1].settle(input_tokens=tokens, output_tokens=output, cache_read_input_tokens=-tokens)
            elif step == "abort":
                await admissions[-1].abort()
            else:
                await admissions[0].produce(output)
            for limit, what in ((30_000, "input-tokens"), (8_000, "output-tokens"), (50, "requests")):
                assert -limit <= await left(bench, what) <= limit
        bench.clock.wait(120)
        assert [await left(bench, what) for what in ("input-tokens", "output-tokens", "requests")] == [
            30_000,
            8_000,
            50,
        ]

    asyncio.run(run())


async def test_what_is_refused_for_want_of_requests_is_known_without_asking_again() -> None:
    bench = Bench()
    bench.limiter.check(caller(), model=MODEL)
    for _ in range(50):
        await bench.limiter.begin(caller(), model=MODEL)
        bench.limiter.check(caller(), model=MODEL)
    with pytest.raises(LimitExceededError) as first:
        await bench.limiter.begin(caller(), model=MODEL)
    with pytest.raises(LimitExceededError) as known:
        bench.limiter.check(caller(), model=MODEL)
    assert (known.value.message, known.value.headers) == (first.value.message, first.value.headers)
    bench.limiter.check(caller(), model="claude-opus-5")
    bench.limiter.check(caller(key="apikey_b"), model=MODEL)
    bench.clock.wait(1.2)
    bench.limiter.check(caller(), model=MODEL)
    await bench.limiter.begin(caller(), model=MODEL)


async def test_want_of_tokens_does_not_shut_the_door_for_smaller_requests() -> None:
    bench = Bench()
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=29_000)
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=2_000)
    bench.limiter.check(caller(), model=MODEL)
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=500)


def test_those_who_bill_and_run_batches_are_told_the_tier_and_its_limits() -> None:
    bench = Bench(Snapshot(tiers={"org-b": "tier_2"}))
    assert bench.limiter.tier("org-b").name == "tier_2"
    assert bench.limiter.limits("org-b", "batch")["enqueued_batch_requests"] == 200_000
    assert bench.limiter.limits("org-a", "messages", MODEL)["requests_per_minute"] == 50


async def test_output_may_also_be_told_as_a_total() -> None:
    bench = Bench()
    admission = await bench.limiter.begin(caller(), model=MODEL)
    for total in (100, 250, 250, 200, 400):
        await admission.produced(total)
    assert await left(bench, "output-tokens") == 7_600

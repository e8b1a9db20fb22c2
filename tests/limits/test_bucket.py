from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from generated import in_process
from understudy.limits.bucket import DAY, MINUTE, MOST, Bucket, bucket, charged, refilled, wait

fewer = settings(in_process, max_examples=in_process.max_examples // 5)

limits = st.one_of(st.integers(1, 100), st.integers(1, 30_000_000))
periods = st.sampled_from([1, MINUTE, DAY])
bursts = st.sampled_from([1.0, 0.5, 1 / 60])
buckets = st.builds(bucket, st.just("{o}:b"), limits, periods, bursts)


@given(of=buckets, share=st.floats(-1, 1), partial=st.integers(0, 5_000), units=st.integers(1, 40_000_000))
@in_process
def test_a_retry_passes_at_the_time_told_and_a_millisecond_earlier_not(
    of: Bucket, share: float, partial: int, units: int
) -> None:
    start = max(of.floor, int(of.full * share))
    level, at = refilled(start, 0, partial, of)
    need = units * of.unit
    told = wait(level, at, partial, need, of)
    if told is None:
        assert need > of.full
        return
    then = partial + told
    assert refilled(start, 0, then, of)[0] >= need
    if told:
        assert refilled(start, 0, then - 1, of)[0] < need


@given(of=buckets, level=st.integers(0, 1000), looks=st.lists(st.integers(0, 70_000), max_size=30))
@fewer
def test_many_looks_fill_a_bucket_as_much_as_one(of: Bucket, level: int, looks: list[int]) -> None:
    start = min(level * of.unit // 7, of.full)
    state, now = (start, 0), 0
    for step in looks:
        now += step
        state = refilled(*state, now, of)
    assert state[0] == refilled(start, 0, now, of)[0]


@given(of=buckets, changes=st.lists(st.integers(-(1 << 34), 1 << 34), max_size=20))
@fewer
def test_a_bucket_is_never_more_than_full_nor_deeper_in_debt_than_one_period(of: Bucket, changes: list[int]) -> None:
    level = of.full
    for change in changes:
        level = charged(level, change * of.unit, of)
        assert of.floor <= level <= of.full
    assert refilled(level, 0, of.period * 1000, of)[0] >= 0


@given(of=buckets, jump=st.integers(1, 10**10))
@in_process
def test_a_clock_that_goes_back_neither_fills_nor_stops_a_bucket(of: Bucket, jump: int) -> None:
    level, at = refilled(0, 10**10, 10**10 - jump, of)
    assert level == 0
    assert refilled(level, at, at + 60 * of.period * 1000, of)[0] == of.full


def test_the_largest_limits_are_whole_numbers_that_a_double_holds() -> None:
    for period in (1, MINUTE, DAY):
        of = bucket("{o}:b", MOST * 10, period)
        assert of.limit == MOST
        assert of.full < 2**53


def test_a_burst_of_a_sixtieth_lets_sixty_a_minute_pass_one_each_second() -> None:
    of = bucket("{o}:b", 60, MINUTE, 1 / 60)
    level = charged(of.full, of.unit, of)
    assert (of.full, level) == (of.unit, 0)
    assert wait(level, 0, 0, of.unit, of) == 1000


def test_the_smallest_bucket_holds_one() -> None:
    assert bucket("{o}:b", 5, MINUTE, 1 / 60).full == bucket("{o}:b", 5).unit
    assert bucket("{o}:b", 0).full == 0

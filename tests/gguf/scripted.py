"""Weights of a model that always says the same, whatever it is asked and at any temperature.

A token's state is one number of its row: the first for whatever can end a prompt, another for each token of the
sentence. The output turns each into the token that follows. So no token may come twice; `cut` sees to that.

A second sentence, said once a tool's result has been given, is one attention head: it looks for a `<tool_response>`
token and, where there is one, adds `_SEEN` to the states after it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from tests.gguf.container import Tensor, TensorType, q8_0, set_q8_0
from tests.gguf.language import tensor_name
from tests.gguf.vocabulary import END_OF_TURN, SPECIAL_TOKENS, TokenType, Vocabulary, as_characters

_TAGS = [token for token, token_type in SPECIAL_TOKENS.items() if token_type == TokenType.USER_DEFINED]
_CHUNKS = re.compile("|".join([*map(re.escape, _TAGS), r" ?\w+", r" ?[^\w\s]", r"\s"]))
_PROMPT_ENDS = frozenset(map(as_characters, (b"\n", b"\n\n")))


def cut(sentence: str, said: Collection[str] = ()) -> list[str]:
    """Cut a sentence into different tokens: tags, words, signs, or several of these where one alone has come before.

    Characters of four bytes are cut in the middle, as real models often do. A broken character can be written as
    Python's `surrogateescape` does. `said` holds tokens that are taken.

    Raises:
        ValueError: The end of the sentence cannot be told from what came before.
    """
    taken = {*said, *_PROMPT_ENDS}
    tokens: list[str] = []
    held = ""
    for chunk in _CHUNKS.findall(sentence):
        for part in _halves(chunk):
            held += as_characters(part)
            if held not in taken:
                taken.add(held)
                tokens.append(held)
                held = ""
    if held and tokens and tokens[-1] not in _TAGS:
        tokens[-1] += held
        held = "" if tokens[-1] not in taken else held
    if held or not tokens:
        raise ValueError(f"the end of {sentence!r} repeats what came before; end it with a new word")
    return tokens


def _halves(chunk: str) -> Sequence[bytes]:
    data = chunk.encode(errors="surrogateescape")
    return [data[:-2], data[-2:]] if max(chunk) >= "\U00010000" else [data]


# States that are no token's own: at the start of an answer, at `<tool_response>`, and after it.
_START, _RESULT, _SEEN = 0, -2, -1

_NEXT = 32
"""Output weight of the token that follows; others have nought. Of the second sentence's first token, the two weights
beside it count: at the start they make 40 together, and less than 32 each anywhere else."""
_SECOND_AT_START, _SECOND_WHEN_SEEN = 16, 24

_SLOWEST = 15
"""The place in a head of 32 that rotary positions turn least: the same at any distance."""


class ScriptedWeights:
    """Weights that say the `first` tokens and end the turn; with a tool's result in the prompt, the `second`."""

    query_norm = 32.0
    """So much attention on `<tool_response>` that nothing else counts."""

    def __init__(self, vocabulary: Vocabulary, first: Sequence[str], second: Sequence[str] = ()) -> None:
        ids = {token: number for number, token in enumerate(vocabulary.tokens)}
        self._result, self._end = ids["<tool_response>"], ids[END_OF_TURN]
        self._first, self._second = [ids[token] for token in first], [ids[token] for token in second]

    def matrix(self, name: str, block: int | None, row: int, rows: int) -> Tensor:
        def data() -> bytearray:
            # What the head reads has been normed: it is 16, √256, where the state is 1.
            data = q8_0(bytes(row * rows), 1 / 16 if name == "attn_output" else 1.0)
            for line, place, weight in self._weights(name, block, row, rows):
                set_q8_0(data, line % rows * row + place % row, weight)
            return data

        return Tensor(tensor_name(name, block), TensorType.Q8_0, (row, rows), data)

    def _weights(self, name: str, block: int | None, row: int, rows: int) -> Iterator[tuple[int, int, int]]:
        """What is not nought: row, place in the row, weight."""
        match name, block:
            case "token_embd", _:
                assert len(self._first) + len(self._second) < row - 2, "more tokens than states"
                states = dict.fromkeys(range(rows), _START) | {self._result: _RESULT}
                states |= {token: state for state, token in enumerate(self._first + self._second, 1)}
                yield from ((token, state, 1) for token, state in states.items())
            case "output", _:
                yield from ((token, state, _NEXT) for state, token in enumerate([*self._first, self._end]))
                if self._second:
                    yield self._second[0], _START, _SECOND_AT_START
                    yield self._second[0], _SEEN, _SECOND_WHEN_SEEN
                    following = enumerate([*self._second[1:], self._end], len(self._first) + 1)
                    yield from ((token, state, _NEXT) for state, token in following)
            case "attn_q", 0 if self._second:
                yield from ((_SLOWEST, state, 1) for state in range(row))
            case "attn_k", 0 if self._second:
                yield _SLOWEST, _RESULT, 1
            case "attn_v", 0 if self._second:
                yield 0, _RESULT, 1
            case "attn_output", 0 if self._second:
                yield _SEEN, 0, 1
            case _:
                pass

"""Test models for llama.cpp, made when a test first wants them and kept by what they are made of.

    model_file("tiny")                  random weights, a large context, tools, thinking, images with `mmproj`
    model_file("mmproj")                its projector of images
    model_file("bench")                 about 400 MB of random weights, for measurements only
    scripted_model("The sky is blue.")  says just that, then ends its turn

The same source makes the same bytes on any machine. From a shell: `python -m tests.gguf.models tiny` prints its path.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.gguf import projector
from tests.gguf.container import write_gguf
from tests.gguf.language import RandomWeights, Size, metadata, tensors
from tests.gguf.scripted import ScriptedWeights, cut
from tests.gguf.vocabulary import vocabulary

HERE = Path(__file__).parent
MADE = HERE / ".made"
"""Where models are kept if nothing else is said."""

TINY = Size(width=256, layers=2, heads=2, kv_heads=1, head=32, feed_forward=512, context=262_144)
BENCH = Size(width=1024, layers=24, heads=16, kv_heads=8, head=64, feed_forward=3584, context=32_768)


def make_tiny(path: Path) -> None:
    words = vocabulary(8_448)
    write_gguf(path, metadata("tiny", TINY, words), list(tensors(TINY, words, RandomWeights(words, seed=1))))


def make_bench(path: Path) -> None:
    words = vocabulary(16_384)
    write_gguf(path, metadata("bench", BENCH, words), list(tensors(BENCH, words, RandomWeights(words, seed=2))))


def make_mmproj(path: Path) -> None:
    write_gguf(path, projector.metadata("mmproj", TINY.width), list(projector.tensors(TINY.width, seed=3)))


def make_scripted(path: Path, sentence: str, after_tool_result: str) -> None:
    known = vocabulary(8_448)
    first = cut(sentence)
    second = cut(after_tool_result, said=first) if after_tool_result else []
    words = known.with_pieces(token for token in first + second if token not in known.tokens)
    weights = ScriptedWeights(words, first, second)
    write_gguf(path, metadata("scripted", TINY, words), list(tensors(TINY, words, weights)))


PRESETS: dict[str, Callable[[Path], None]] = {"tiny": make_tiny, "bench": make_bench, "mmproj": make_mmproj}


def model_file(preset: str, directory: Path = MADE) -> Path:
    """The file of a preset, made unless it is there."""
    return _kept(directory, preset, "", PRESETS[preset])


def scripted_model(sentence: str, *, after_tool_result: str = "", directory: Path = MADE) -> Path:
    """The file of a model that says `sentence` and ends its turn, whatever it is asked and at any temperature.

    With `after_tool_result` it says that instead as soon as the prompt holds a tool's result. Both may hold the tags
    `<think>` and `<tool_call>`, and have 250 words and signs together. `model_file("mmproj")` fits it too.

    A grammar (of tools, or of a schema) still forbids what it forbids: then anything it allows is said instead. A byte
    that is no character, written `\\udcff`, passes the grammar and makes llama.cpp's own parser fail with status 500.

    Raises:
        ValueError: A sentence ends with what came before, so that its end could not be told.
    """
    made_of = repr((sentence, after_tool_result))
    return _kept(directory, "scripted", made_of, lambda path: make_scripted(path, sentence, after_tool_result))


def _kept(directory: Path, name: str, made_of: str, make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(f"{_source_digest()} {name} {made_of}".encode()).hexdigest()[:16]
    path = directory / f"{name}-{digest}.gguf"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        # Several workers may make one at once: each writes its own, and any of them may stand in the end.
        with tempfile.TemporaryDirectory(dir=directory) as making:
            made = Path(making) / path.name
            make(made)
            made.replace(path)
    return path


@cache
def _source_digest() -> str:
    """Of all files beside this one that have a part in what is made. They need nothing but Python itself."""
    sources = sorted({*HERE.glob("*.py"), *HERE.glob("*.jinja")} - {HERE / "llama_server.py", *HERE.glob("test_*")})
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


if __name__ == "__main__":
    for preset in sys.argv[1:]:
        print(model_file(preset))

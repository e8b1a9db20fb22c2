"""The program that reads one HTML page after another, in a process of its own that may be killed at any time.

It is started by its path and imports nothing of this package. A page comes as its length and its bytes; what is said
of it is the length of a JSON object, and that: `title`, `text` as Markdown, `date`. The length is 0 for what cannot be
read. Nothing is fetched: neither pictures nor entities nor styles.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

REQUEST: Final = struct.Struct(">II")
"""Seconds of processor time, bytes of the page."""

REPLY: Final = struct.Struct(">I")
"""Bytes of the answer."""

_FIRST: Final = (
    b"<html><head><title>t</title><meta name='date' content='2026-01-02'></head><body><main><h1>a</h1>"
    b"<p>Some words, so that every part of the library is used once. <a href='https://a.org/x'>b</a></p>"
    b"<ul><li>c</li></ul><table><tr><td>d</td></tr></table></main></body></html>"
)


def _limit(memory: int) -> None:
    """Take from this process what reading needs not. Where the system cannot, the time box alone stands."""
    with suppress(OSError):
        os.nice(5)
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": memory,
        "RLIMIT_DATA": memory,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NPROC": 0,
    }
    for name, value in limits.items():
        with suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (value, value))


def _give_time(seconds: int) -> None:
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def read(data: bytes) -> dict[str, str | None] | None:
    """What is read on a page; None for what is no page."""
    # Their types are only half there.
    trafilatura: Any = import_module("trafilatura")
    tree: Any = trafilatura.load_html(data)
    if tree is None:
        # It does not look like a page to the library; parts of one do not.
        if not data.strip():
            return None
        text = trafilatura.utils.decode_file(data)
        tree = import_module("lxml.html").document_fromstring(text.replace("\0", ""))
    title = next((" ".join(found.itertext()).strip() for found in tree.iter("title")), "")
    about = trafilatura.extract_metadata(tree)
    found = trafilatura.extract(
        tree,
        output_format="markdown",
        include_links=True,
        include_tables=True,
        include_comments=False,
        favor_recall=True,
    )
    if not found:
        # A page without what looks like an article: all that stands on it.
        for silent in list(tree.iter("script", "style", "noscript", "template", "head")):
            silent.drop_tree()
        found = "\n".join(line for line in map(str.strip, tree.text_content().split("\n")) if line)
    return {
        "title": " ".join((title or (about.title if about else None) or "").split()),
        "text": found,
        "date": about.date if about else None,
    }


def main() -> None:
    memory = int(sys.argv[1])
    read(_FIRST)
    _limit(memory)
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = source.read(REQUEST.size)
        if len(head) < REQUEST.size:
            return
        seconds, size = REQUEST.unpack(head)
        data = source.read(size)
        if len(data) < size:
            return
        _give_time(seconds)
        try:
            found = read(data)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError, SyntaxError):
            # The library on what it did not expect. The page is at fault, and the next may be read.
            found = None
        answer = b"" if found is None else json.dumps(found).encode()
        out.write(REPLY.pack(len(answer)) + answer)
        out.flush()
        del data, found


if __name__ == "__main__":
    main()

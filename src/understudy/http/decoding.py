"""Content codings of bodies that are read as they arrive. See compression.py for those that are held."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from functools import reduce
from typing import TYPE_CHECKING, Final, Protocol

from understudy.http.compression import coding_errors, not_decodable, too_large_decoded

if TYPE_CHECKING:
    import zstandard

_OUT: Final = 64 * 1024
_MOST_MEMBERS: Final = 1_000
_ZSTD_WINDOW: Final = 1 << 27
# Bytes that zstd is given at once. It cannot be told how much it may give back; of four bytes it makes 128 KB.
_ZSTD_IN: Final = 512


class _TooLargeError(Exception):
    pass


class _Decoder(Protocol):
    def feed(self, data: bytes) -> Generator[bytes]:
        """What `data` holds, in pieces of some 64 KB."""
        ...

    def check_end(self) -> None:
        """Raises one of _ERRORS when the data cannot end here."""
        ...


class _Inflating:
    """gzip, whose body may have several members (RFC 1952 §2.2), and deflate, with its header or without."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzip else None
        self._head = b""
        self._members = 1

    def feed(self, data: bytes) -> Generator[bytes]:
        if self._decoder is None:
            self._head = data = self._head + data
            if len(data) < 2:
                return
            zlib_header = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)
        while data:
            if self._decoder.eof:
                self._members += 1
                if self._members > _MOST_MEMBERS or not self._gzip:
                    raise zlib.error("too many members")
                self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield self._decoder.decompress(data, _OUT)
            data = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail

    def check_end(self) -> None:
        if self._decoder is None or not self._decoder.eof:
            raise zlib.error("incomplete")


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._decoder = brotli.Decompressor()

    def feed(self, data: bytes) -> Generator[bytes]:
        while data or not self._decoder.can_accept_more_data():
            if self._decoder.is_finished():
                # What follows is passed over, as it is in bodies that are held.
                return
            yield self._decoder.process(data, output_buffer_limit=_OUT)
            data = b""

    def check_end(self) -> None:
        if not self._decoder.is_finished():
            raise zlib.error("incomplete")


class _Zstandard:
    def __init__(self) -> None:
        self._decoder = self._new()
        self._is_new = True

    @staticmethod
    def _new() -> zstandard.ZstdDecompressionObj:
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    def feed(self, data: bytes) -> Generator[bytes]:
        for start in range(0, len(data), _ZSTD_IN):
            rest = data[start : start + _ZSTD_IN]
            while rest:
                if self._decoder.eof:
                    self._decoder = self._new()
                yield self._decoder.decompress(rest)
                rest = self._decoder.unused_data if self._decoder.eof else b""
        self._is_new = False

    def check_end(self) -> None:
        if self._is_new or not self._decoder.eof:
            raise zlib.error("incomplete")


def _decoder(coding: str) -> _Decoder:
    if coding == "br":
        return _Brotli()
    return _Zstandard() if coding == "zstd" else _Inflating(gzip=coding != "deflate")


class _Stage:
    """A decoder within its bound."""

    def __init__(self, coding: str, limit: int) -> None:
        self._decoder = _decoder(coding)
        self._left = limit

    def of(self, pieces: Generator[bytes]) -> Generator[bytes]:
        for piece in pieces:
            for out in self._decoder.feed(piece):
                self._left -= len(out)
                if self._left < 0:
                    raise _TooLargeError
                if out:
                    yield out

    def check_end(self) -> None:
        self._decoder.check_end()


def _one(piece: bytes) -> Generator[bytes]:
    yield piece


async def decoded_pieces(arriving: AsyncGenerator[bytes], codings: Sequence[str], limit: int) -> AsyncGenerator[bytes]:
    """A body without its codings, at most `limit` bytes, a piece at a time.

    Raises the API's 400 for bad data and its 413 for a body that grows beyond the limit.
    """
    stages = [_Stage(coding, limit) for coding in reversed(codings)]
    try:
        async with aclosing(arriving) as pieces:
            async for piece in pieces:
                decoded = reduce(lambda data, stage: stage.of(data), stages, _one(piece))
                # In a thread, however short a piece is: its output is bounded, what it costs is not.
                while (out := await asyncio.to_thread(next, decoded, None)) is not None:
                    yield out
        for stage in stages:
            stage.check_end()
    except _TooLargeError:
        raise too_large_decoded() from None
    except coding_errors():
        raise not_decodable() from None

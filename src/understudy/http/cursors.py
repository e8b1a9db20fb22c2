"""Opaque cursors: a place in one list, sealed, so that another list's, or one that was tampered with, is refused."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Any, Final

import orjson

from understudy.http.pagination import unknown_cursor
from understudy.storage.secrets import RootSecret

_SEAL: Final = 16


class Cursors:
    """Makes and reads opaque cursors.

    `bound` is all that decides what a list holds: its name, whose it is, filters.
    """

    def __init__(self, root: RootSecret) -> None:
        self._keys = [key for _, key in root.derive_all("page cursor")]

    def make(self, bound: Sequence[Any], at: float, id_: str) -> str:
        place = orjson.dumps([at, id_])
        return "page_" + base64.urlsafe_b64encode(_seal(self._keys[0], bound, place) + place).decode().rstrip("=")

    def read(self, bound: Sequence[Any], page: str) -> tuple[float, str]:
        """The place that `page` names in the list that it was made for. 400 if it was made for none such."""
        text = page.removeprefix("page_")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, place = raw[:_SEAL], raw[_SEAL:]
        if not any(hmac.compare_digest(_seal(key, bound, place), seal) for key in self._keys):
            raise unknown_cursor("page")
        at, id_ = orjson.loads(place)
        return float(at), str(id_)


def _seal(key: bytes, bound: Sequence[Any], place: bytes) -> bytes:
    return hmac.digest(key, orjson.dumps(bound) + b"\0" + place, "sha256")[:_SEAL]

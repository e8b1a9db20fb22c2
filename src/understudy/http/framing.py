"""How another flavour of the API puts the Messages API's answers on the wire."""

from __future__ import annotations

from typing import Protocol


class Framing(Protocol):
    """One request's. Everything that the request is answered passes through it, errors of any origin included."""

    def headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Headers on top of those that every answer has."""
        ...

    def fields(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """A route's own headers as the flavour has them."""
        ...

    def whole(self, body: bytes) -> bytes:
        """A whole JSON answer, a Message or an error, in the flavour's own form. Asked first of an answer that is
        whole."""
        ...

    def status(self, status: int) -> int:
        """The status of a whole answer, which `whole` has seen."""
        ...

    def piece(self, body: bytes) -> bytes:
        """Whole frames of an event stream in the flavour's own form; none where they say nothing there."""
        ...

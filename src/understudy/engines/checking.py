"""Looks at whether an upstream takes its credentials, without spending a token. For an operator's command: nothing of a
request passes here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MOST: Final = 64 * 1024


class CheckError(Exception):
    """What is wrong, for the operator."""


async def get(url: str, headers: Mapping[str, str], seconds: float, header: str = "") -> tuple[int, str, bytes]:
    """Status of a GET, the answer's `header` ("" if it is not there) and the beginning of its body. Raises
    CheckError."""
    import aiohttp
    from yarl import URL

    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            # A signature is of the very bytes of the path.
            session.get(URL(url, encoded=True), headers=dict(headers), allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get(header, ""), await answer.content.read(_MOST)
    except TimeoutError:
        raise CheckError(f"no answer of {_host(url)} in {seconds:.0f} s") from None
    except (aiohttp.ClientError, ValueError, OSError) as error:
        raise CheckError(f"{_host(url)} cannot be reached: {error}") from None


async def check_list(url: str, headers: Mapping[str, str], seconds: float = 10.0) -> str:
    """GET a list of models, the cheapest thing that most servers have and that needs a key. Raises CheckError."""
    status, _, _ = await get(url, headers, seconds)
    if status == 200:
        return "its models can be listed"
    if status in {401, 403}:
        raise CheckError(f"{_host(url)} refuses the credentials (status {status})")
    if status in {404, 405}:
        return "it answers, and has no list of models to try the credentials with"
    raise CheckError(f"{_host(url)} answered with status {status}")


def _host(url: str) -> str:
    """Without credentials and query."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + parts.path
    except ValueError:
        return "its URL"

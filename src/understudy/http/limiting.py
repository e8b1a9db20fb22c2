"""What routes ask of rate limits. `limits` implements it; `app` plugs it in."""

from __future__ import annotations

from typing import Final, Literal, Protocol, TypeAlias

from understudy.http.principal import Principal
from understudy.http.record import RequestRecord

LimitedPart: TypeAlias = Literal[
    "messages", "token_count", "batch", "files", "skills", "web_search", "models", "admin", "invites"
]
ServiceTier: TypeAlias = Literal["standard", "priority", "batch"]


class Admission(Protocol):
    """A request that was let in. It ends once; what comes after that does nothing."""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The rate-limit headers of a 200, by what has been charged so far."""
        ...

    @property
    def service_tier(self) -> ServiceTier: ...

    @property
    def exceeded(self) -> str | None:
        """The limit that would have refused the request if it were enforced."""
        ...

    async def produced(self, output_tokens: int) -> None:
        """So many output tokens have been produced since the request began."""
        ...

    async def finish(self, record: RequestRecord) -> None:
        """Settle by what the record says, whatever became of the request."""
        ...


class Limits(Protocol):
    def check(self, caller: Principal, kind: LimitedPart = "messages", *, model: str | None = None) -> None:
        """Refuse at once what is known to be refused. Raises RateLimitError."""
        ...

    async def begin(
        self,
        caller: Principal,
        kind: LimitedPart = "messages",
        *,
        model: str | None = None,
        input_tokens: int = 0,
        cache_read_input_tokens: int = 0,
        max_tokens: int = 0,
        fast: bool = False,
        service_tier: str = "auto",
    ) -> Admission:
        """Let a request in. Raises RateLimitError with its headers, and OverloadedError."""
        ...


class _Free:
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012
    service_tier: ServiceTier = "standard"
    exceeded: str | None = None

    async def produced(self, output_tokens: int) -> None: ...

    async def finish(self, record: RequestRecord) -> None: ...


class Unlimited:
    """Lets everything in, for who has no limits."""

    _free = _Free()

    def check(self, caller: Principal, kind: LimitedPart = "messages", *, model: str | None = None) -> None: ...

    async def begin(
        self,
        caller: Principal,
        kind: LimitedPart = "messages",
        *,
        model: str | None = None,
        input_tokens: int = 0,
        cache_read_input_tokens: int = 0,
        max_tokens: int = 0,
        fast: bool = False,
        service_tier: str = "auto",
    ) -> Admission:
        return self._free


UNLIMITED: Final = Unlimited()

"""/_understudy/console: signing in and out, and what the page is told of whoever is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NotRequired

from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from understudy.console import about, cookies
from understudy.console.callers import SessionCallers
from understudy.console.serving import route
from understudy.console.sessions import Sessions
from understudy.console.sign_in import SignIn
from understudy.http.exchange import Exchange
from understudy.organization.bodies import STRICT, Email, Name, Printable, Shape, read_body
from understudy.organization.store import Actor, Store, actor_from, actor_of

PATH: Final = "/_understudy/console"

_NOT_KEPT: Final = (b"cache-control", b"no-store")


class _PasswordParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    email: str
    password: str


class _LinkParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    token: str
    name: NotRequired[Name | None]
    email: NotRequired[Email | None]
    password: NotRequired[str | None]


class _TokenParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    token: str


class _InviteParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    token: Printable
    name: Name
    password: str


class _ChangeParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    current: str
    new: str


_PASSWORD: Final = Shape(_PasswordParams)
_LINK: Final = Shape(_LinkParams)
_TOKEN: Final = Shape(_TokenParams)
_INVITE: Final = Shape(_InviteParams)
_CHANGE: Final = Shape(_ChangeParams)


class SessionEndpoints:
    """`provider`: the name of single sign-on, and where it begins; None without."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        callers: SessionCallers,
        signing_in: SignIn,
        features: about.Features,
        provider: dict[str, str] | None,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._callers = callers
        self._sign_in = signing_in
        self._features = features
        self._provider = provider

    def routes(self) -> list[BaseRoute]:
        return [
            route(PATH + "/session", "GET", self.show),
            route(PATH + "/session", "POST", self.with_password),
            route(PATH + "/session", "DELETE", self.sign_out),
            route(PATH + "/session/link", "POST", self.with_link),
            route(PATH + "/session/link/check", "POST", self.check_link),
            route(PATH + "/session/invite", "POST", self.with_invite),
            route(PATH + "/password", "POST", self.change_password),
        ]

    async def show(self, exchange: Exchange) -> None:
        """GET …/session."""
        found = await self._callers.find(exchange)
        if found is None:
            organization_id = await self._sign_in.organization_id()
            await self._answer(
                exchange, await about.signed_out(self._store, organization_id, self._provider, self._features)
            )
            return
        token = self._callers.token(found.session)
        await self._answer(exchange, await about.signed_in(self._store, found, token, self._features))

    async def with_password(self, exchange: Exchange) -> None:
        """POST …/session."""
        actor = self._stranger(exchange)
        params = await read_body(exchange, _PASSWORD)
        await self._begin(exchange, await self._sign_in.with_password(actor, params["email"], params["password"]))

    async def with_link(self, exchange: Exchange) -> None:
        """POST …/session/link."""
        actor = self._stranger(exchange)
        params = await read_body(exchange, _LINK)
        secret = await self._sign_in.with_link(
            actor, params["token"], params.get("name"), params.get("email"), params.get("password")
        )
        await self._begin(exchange, secret)

    async def check_link(self, exchange: Exchange) -> None:
        """POST …/session/link/check: whose link it is, without using it."""
        actor = self._stranger(exchange)
        params = await read_body(exchange, _TOKEN)
        email = await self._sign_in.link_email(actor, params["token"])
        await self._answer(exchange, {"type": "console_link", "setup": email is None, "email": email})

    async def with_invite(self, exchange: Exchange) -> None:
        """POST …/session/invite."""
        actor = self._stranger(exchange)
        params = await read_body(exchange, _INVITE)
        secret = await self._sign_in.with_invite(actor, params["token"], params["name"], params["password"])
        await self._begin(exchange, secret)

    async def sign_out(self, exchange: Exchange) -> None:
        """DELETE …/session."""
        found = await self._callers.require(exchange)
        await self._sessions.end(found.session)
        secure = self._callers.origins.is_secure(exchange)
        removed = cookies.set_cookie(
            cookies.session_name(secure=secure), "", seconds=0, secure=secure, same_site="Strict"
        )
        await exchange.respond(204, b"", b"application/json", [_NOT_KEPT, removed])

    async def change_password(self, exchange: Exchange) -> None:
        """POST …/password."""
        found = await self._callers.require(exchange)
        exchange.principal = found.person.principal
        params = await read_body(exchange, _CHANGE)
        await self._sign_in.change_password(actor_of(exchange), found.session, params["current"], params["new"])
        await exchange.respond(204, b"", b"application/json", [_NOT_KEPT])

    async def _begin(self, exchange: Exchange, secret: str) -> None:
        """Answer with the new session and its cookie."""
        found, cookie = await self._callers.begun(exchange, secret)
        token = self._callers.token(found.session)
        shown = await about.signed_in(self._store, found, token, self._features)
        await self._answer(exchange, shown, [cookie])

    def _stranger(self, exchange: Exchange) -> Actor:
        """Who is about to sign in. 403 unless our own page asks: nobody signs others in as himself."""
        self._callers.origins.check(exchange)
        return actor_from(exchange, "stranger")

    async def _answer(self, exchange: Exchange, value: dict[str, Any], headers: Sequence[cookies.Field] = ()) -> None:
        await exchange.respond_json(value, headers=[_NOT_KEPT, *headers])

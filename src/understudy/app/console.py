"""The Console's server side, from the settings."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute

from understudy.console.about import Features
from understudy.console.callers import SessionCallers
from understudy.console.costs import CostEndpoint
from understudy.console.endpoints import SessionEndpoints
from understudy.console.links import Links
from understudy.console.origin import Origins
from understudy.console.pages import Pages
from understudy.console.prompts.endpoints import PromptEndpoints
from understudy.console.prompts.service import Prompts
from understudy.console.sessions import Sessions
from understudy.console.sign_in import SignIn
from understudy.http.credentials import Caller, by_key
from understudy.http.envelope import ApiRoute, Flavours
from understudy.net.client import Fetcher
from understudy.organization.authenticator import KeyAuthenticator
from understudy.organization.clock import Clock
from understudy.organization.federation.jwks import can_verify
from understudy.organization.pages import Cursors
from understudy.organization.people.invites import Invites
from understudy.organization.store import Store
from understudy.settings import ConsoleSettings, Settings, SettingsError
from understudy.storage.following import Following
from understudy.storage.secrets import RootSecret
from understudy.usage.prices import Pricing


class Console:
    """`caller` is who calls our own routes: by a key or, where the Console is served, by a session."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        root: RootSecret,
        authenticator: KeyAuthenticator,
        following: Following,
        invites: Invites,
        cursors: Cursors,
        fetcher: Fetcher,
        pricing: Pricing,
    ) -> None:
        given = settings.console
        self.caller: Caller = by_key(authenticator)
        self._routes: list[BaseRoute] = []
        self._callers: SessionCallers | None = None
        self._sessions: Sessions | None = None
        self._authenticator = authenticator
        if not given.enabled:
            return
        self._sessions = sessions = Sessions(
            store.db,
            root,
            authenticator,
            following,
            store.clock,
            lifetime=given.session_lifetime,
            idle=given.session_idle_timeout,
        )
        origins = Origins([settings.server.host, *given.hosts], settings.server.public_url)
        self._callers = callers = SessionCallers(sessions, origins, root, self._default_workspace)
        self.caller = callers.or_by_key(self.caller)
        signing_in = SignIn(store, sessions, Links(store.db, root), invites, given.min_password_length)
        features = Features(
            bodies_kept=settings.retention.bodies != "none",
            limits_mode=settings.limits.mode,
            code_execution=settings.sandbox.mode != "off",
            min_password_length=given.min_password_length,
        )
        provider = self._single_sign_on(given, fetcher, root, callers, signing_in, store.clock)
        endpoints = SessionEndpoints(store, sessions, callers, signing_in, features, provider)
        prompts = PromptEndpoints(Prompts(store, cursors), callers)
        costs = CostEndpoint(pricing, callers, store.clock)
        self._routes += [*Pages().routes(), *endpoints.routes(), *prompts.routes(), *costs.routes()]

    def other_routes(self) -> list[BaseRoute]:
        return self._routes

    def flavours(self, api_routes: list[ApiRoute]) -> Flavours:
        """The API for whoever is signed in. Made with the first request that needs it."""
        callers = self._callers
        if callers is None:
            return {}

        def reentry() -> Iterable[ApiRoute]:
            from understudy.console.reentry import reentry_routes

            return reentry_routes(api_routes, callers)

        return {"/_understudy": reentry}

    def _single_sign_on(
        self,
        given: ConsoleSettings,
        fetcher: Fetcher,
        root: RootSecret,
        callers: SessionCallers,
        signing_in: SignIn,
        clock: Clock,
    ) -> dict[str, str] | None:
        """Its name and where it begins; None without."""
        if given.oidc_issuer is None or given.oidc_client_id is None:
            return None
        if not can_verify():
            raise SettingsError(
                "console.oidc_issuer takes the extra `federation`: pip install 'understudy[federation]'."
            )
        from understudy.console.oidc import START, SingleSignOn

        secret = None if given.oidc_client_secret is None else given.oidc_client_secret.get_secret_value()
        provider = SingleSignOn(
            given.oidc_issuer, given.oidc_client_id, secret, fetcher, root, callers, signing_in, clock
        )
        self._routes += provider.routes()
        return {"name": given.oidc_name, "start": START}

    async def start(self) -> None:
        """After the authenticator has."""
        if self._sessions is not None:
            await self._sessions.start()

    def _default_workspace(self) -> str | None:
        found = self._authenticator.of_workspace(None)
        return None if found is None else found.workspace_id

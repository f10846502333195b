"""How often somebody may ask: the rules as data, and the guard that applies them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import evolve, field, frozen
from starlette.requests import Request
from starlette.responses import Response

from core.kernel.actor import Actor
from core.kernel.errors import Limited
from core.kernel.ports import Allowance, RateLimiter, RateRule
from entrypoints.http.guards.addresses import Addresses


@frozen(kw_only=True)
class EndpointRule:
    """A rule of one endpoint, beside the general one or, for what machines send by themselves, `instead` of it."""

    endpoint: str
    rule: RateRule
    instead: bool = False


@frozen(kw_only=True)
class RateRules:
    """How many requests in a minute; of all the rules that an endpoint has the strictest wins.

    `user` is for all that one user asks, `doors` for what an address asks of the log-in routes, `stranger` for what it sends before
    we know who it is, `webhooks` and `pages` for what it asks of the other routes that need no log-in.
    """

    user: RateRule = RateRule(name="user", limit=100)
    doors: RateRule = RateRule(name="log-in", limit=60)
    stranger: RateRule = RateRule(name="stranger", limit=600)
    webhooks: RateRule = RateRule(name="webhooks", limit=6000)
    pages: RateRule = RateRule(name="pages", limit=300)
    endpoints: tuple[EndpointRule, ...] = (
        EndpointRule(
            endpoint="POST /api/v1/tracking/update",
            rule=RateRule(name="tracking.update", limit=600),
            instead=True,
        ),
        EndpointRule(endpoint="POST /api/v1/jobs/{id}/photos", rule=RateRule(name="jobs.photos", limit=30)),
    )

    @classmethod
    def for_environment(cls, env: str) -> RateRules:
        """Return the rules themselves in production, ten times as much where people develop, no limit to speak of in tests."""
        return cls().times({"production": 1, "development": 10}.get(env, 100_000))

    def times(self, factor: int) -> RateRules:
        """Return the same rules with so many times the limits."""

        def more(rule: RateRule) -> RateRule:
            return evolve(rule, limit=rule.limit * factor)

        return RateRules(
            user=more(self.user),
            doors=more(self.doors),
            stranger=more(self.stranger),
            webhooks=more(self.webhooks),
            pages=more(self.pages),
            endpoints=tuple(evolve(each, rule=more(each.rule)) for each in self.endpoints),
        )

    def of(self, endpoint: str) -> tuple[RateRule, ...]:
        """Return the rules of an endpoint, named as in `POST /api/v1/jobs/{id}/photos`, for one user."""
        own = [each for each in self.endpoints if each.endpoint == endpoint]
        general = () if any(each.instead for each in own) else (self.user,)
        return (*general, *(each.rule for each in own))


_NOBODY: Final = "-"
"""Stands for the tenant in the keys of those who have not said who they are."""


@frozen
class Limits:
    """Lets a request pass or raises `Limited`; either way the answer says how much is left (draft-ietf-httpapi-ratelimit-headers).

    What is to be told is left in `scope["state"]["told"]` for the edge to send.
    """

    _limiter: RateLimiter
    _addresses: Addresses
    _policies: dict[tuple[RateRule, ...], bytes] = field(factory=dict, init=False, repr=False)

    async def admit(self, request: Request, actor: Actor, rules: tuple[RateRule, ...]) -> None:
        """Count a request of a known user."""
        asked = [(f"ratelimit:{actor.tenant}:{actor.id}:{rule.name}", rule) for rule in rules]
        self._tell(request, rules, await self._limiter.take(asked))

    async def admit_stranger(self, request: Request, rule: RateRule) -> None:
        """Count a request by the address it comes from."""
        key = f"ratelimit:{_NOBODY}:{self._addresses.client(request.scope)}:{rule.name}"
        self._tell(request, (rule,), await self._limiter.take([(key, rule)]))

    def by_address(
        self, rule: RateRule, serve: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of a route that needs no log-in, behind the rule."""

        async def limited(request: Request) -> Response:
            await self.admit_stranger(request, rule)
            return await serve(request)

        return limited

    def _tell(self, request: Request, rules: tuple[RateRule, ...], allowance: Allowance) -> None:
        policy = self._policies.get(rules)
        if policy is None:
            policy = ", ".join(f'"{rule.name}";q={rule.limit};w={rule.seconds:.0f}' for rule in rules).encode()
            self._policies[rules] = policy
        rule, seconds = allowance.rule, math.ceil(allowance.wait)
        left = f'"{rule.name}";r={allowance.remaining};t={seconds}'.encode()
        request.scope["state"]["told"] = [(b"ratelimit-policy", policy), (b"ratelimit", left)]
        if not allowance.allowed:
            msg = f"too many requests: {rule.limit} in {rule.seconds:.0f} seconds are allowed here; wait {seconds} s"
            raise Limited(msg, retry_after=seconds)

"""Posting to the product what happens here: signed, in order within a chat, again until it answers 200."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import httpx2
from attrs import evolve, frozen

from entrypoints.sandbox.whatsapp.bodies import encoded
from entrypoints.sandbox.whatsapp.model import Account, Exchange, Webhook
from entrypoints.sandbox.whatsapp.state import WhatsAppState

_LOOK_AGAIN: Final = 0.25
"""Seconds between looks at what waits for its next attempt."""
_OK: Final = 200


@frozen
class Retries:
    """Seconds between attempts: each pause doubles, up to the longest; Meta gives up after seven days."""

    first: float = 1.0
    longest: float = 300.0
    give_up_after: float = 7 * 24 * 3600.0
    timeout: float = 10.0

    def pause(self, attempts: int) -> float:
        """Return the pause after so many failed attempts."""
        return min(self.first * 2.0 ** min(attempts - 1, 30), self.longest)


class Webhooks:
    """The posting side: what is to be posted is stored first, so a restart loses nothing.

    Within a chat webhooks keep their order; one that must be repeated lets the others pass, as at Meta.
    """

    def __init__(self, *, state: WhatsAppState, clock: Callable[[], datetime], retries: Retries) -> None:
        self._state, self._clock, self._retries = state, clock, retries
        self._news = asyncio.Event()
        self._busy: set[tuple[str, str]] = set()
        # The product is where the account says; a proxy of the environment must not stand between.
        self._client = httpx2.AsyncClient(timeout=retries.timeout, trust_env=False)

    def post(self, body: Mapping[str, Any], *, phone_number_id: str, wa_id: str, message_id: str | None = None) -> None:
        """Put a body on its way; `message_id` is the contact's message whose arrival shall be noted."""
        self._state.add_webhook(
            phone_number_id=phone_number_id, wa_id=wa_id, message_id=message_id, body=encoded(body), at=self._now()
        )
        self._news.set()

    async def verify(self, account: Account) -> Account:
        """Ask the webhook address whether it knows the verify token, store and return the account with the result."""
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": account.verify_token}
        try:
            answer = await self._client.get(account.webhook_url, params=query)
        except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
            problem: str | None = _problem(failure)
        else:
            told = answer.status_code == _OK and answer.text == challenge
            problem = None if told else f"answered {answer.status_code} and not the challenge"
        account = evolve(account, verified=problem is None, problem=problem)
        self._state.put_account(account)
        return account

    async def run(self) -> None:
        """Post what is due, until cancelled."""
        try:
            async with asyncio.TaskGroup() as lanes:
                while True:
                    self._news.clear()
                    for lane in self._state.due_lanes(self._now()):
                        if lane not in self._busy:
                            self._busy.add(lane)
                            lanes.create_task(self._empty(lane))
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_AGAIN if self._state.has_webhooks() else None):
                            await self._news.wait()
        finally:
            await self._client.aclose()

    async def _empty(self, lane: tuple[str, str]) -> None:
        try:
            while (webhook := self._state.due_webhook(lane, self._now())) is not None:
                await self._attempt(webhook)
        finally:
            self._busy.discard(lane)
            self._news.set()

    async def _attempt(self, webhook: Webhook) -> None:
        account = self._state.account(webhook.phone_number_id)
        if account is None:
            self._state.drop_webhook(webhook)
            return
        problem = await self._post(account, webhook)
        if problem is None:
            self._state.drop_webhook(webhook)
            self._mark(webhook, "delivered", None)
        elif self._now() - webhook.created_at >= self._retries.give_up_after:
            self._state.drop_webhook(webhook)
            self._mark(webhook, "failed", problem)
        else:
            self._state.put_off(webhook, until=self._now() + self._retries.pause(webhook.attempts + 1))
            self._mark(webhook, "retrying", problem)

    async def _post(self, account: Account, webhook: Webhook) -> str | None:
        """Return None when the product took it, or what was wrong."""
        if not account.verified:
            account = await self.verify(account)
        if not account.verified:
            return f"webhook not verified: {account.problem}"
        signature = hmac.new(account.app_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        status, text, problem = None, "", None
        try:
            answer = await self._client.post(account.webhook_url, content=webhook.body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
            problem = text = _problem(failure)
        else:
            status, text = answer.status_code, answer.text
            problem = None if status == _OK else f"answered {status}"
        self._state.note(
            Exchange(
                at=self._now(),
                phone_number_id=account.phone_number_id,
                wa_id=webhook.wa_id,
                direction="to_product",
                title=f"POST {httpx2.URL(account.webhook_url).path}",
                status=status,
                body=webhook.body.decode(),
                answer=text,
            )
        )
        return problem

    def _mark(self, webhook: Webhook, status: str, problem: str | None) -> None:
        message = self._state.message(webhook.message_id) if webhook.message_id else None
        if message is not None and message.status != "read":
            self._state.mark(message.id, status, error=problem)

    def _now(self) -> float:
        return self._clock().timestamp()


def _problem(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__

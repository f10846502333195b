"""People of the product, logged in as people are: with the code on their phone."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
from attrs import define, field

PATIENCE: Final = 20.0
"""Real seconds in which every step has to show."""
_MARGIN: Final = timedelta(minutes=1)
"""An access token is renewed so long before its end."""


class NotObserved(Exception):
    """A step of the story did not show."""


@define
class Person:
    """Somebody with a phone at the sandbox; logs in when first asked for a token and stays logged in.

    `clock` is the product's, by which tokens end. For many callers at once.
    """

    _client: httpx2.AsyncClient
    _api: str
    _chat: str
    """The address of the chat between the business and this phone."""
    phone: str
    _clock: Callable[[], datetime]
    _say: Callable[[str], None] = field(default=lambda _: None)
    _access: str = field(default="", repr=False)
    _refresh: str = field(default="", repr=False)
    _until: datetime | None = None
    _one: asyncio.Lock = field(factory=asyncio.Lock, repr=False)
    """A refresh token counts once: of many callers one renews it."""

    async def token(self) -> str:
        """Return an access token that counts now; raise `NotObserved` if the product does not let them in."""
        async with self._one:
            if self._until is None:
                await self._log_in()
            elif self._clock() >= self._until:
                self._keep(await self._ask("refresh", {"refreshToken": self._refresh}))
            return self._access

    async def bearer(self) -> dict[str, str]:
        """Return the header that says who asks."""
        return {"authorization": f"Bearer {await self.token()}"}

    async def _log_in(self) -> None:
        before = {each["id"] for each in await self._messages()}
        await self._ask("otp", {"phone": self.phone})
        code = await self._code(before)
        given = await self._ask("verify", {"phone": self.phone, "otp": code})
        self._keep(given)
        self._say(f"{given['user']['name']} ({given['user']['role']}) logged in with the code on {self.phone}")

    async def _code(self, before: set[str]) -> str:
        until = time.monotonic() + PATIENCE
        while True:
            for each in await self._messages():
                found = re.match(r"\d{6}\b", str(each.get("text", "")))
                if found and each["id"] not in before and each.get("template") == "otp_login":
                    return found.group()
            if time.monotonic() > until:
                msg = f"not seen within {PATIENCE:.0f} s: a code on {self.phone}"
                raise NotObserved(msg)
            await asyncio.sleep(0.02)

    async def _messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._client.get(self._chat)).json()["messages"]
        return found

    async def _ask(self, what: str, body: object) -> dict[str, Any]:
        answer = await self._client.post(f"{self._api}/api/v1/auth/{what}", json=body)
        if not answer.is_success:
            msg = f"POST {answer.request.url.path} was answered {answer.status_code}: {answer.text[:300]}"
            raise NotObserved(msg)
        given: dict[str, Any] = answer.json()
        return given

    def _keep(self, given: dict[str, Any]) -> None:
        self._access, self._refresh = given["accessToken"], given["refreshToken"]
        self._until = self._clock() + timedelta(seconds=given["expiresIn"]) - _MARGIN

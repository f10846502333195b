"""Firebase Cloud Messaging, HTTP v1: one request for each note, as a service account that proves itself for an hour."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx2
from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.push.http import (
    NOT_REACHED,
    SERVER_ERROR,
    TEXT_AT_MOST,
    TIMEOUT,
    TOO_MANY,
    UNAUTHORIZED,
    data_of,
    retry_after,
    words,
)
from core.kernel.errors import Invalid, NotFound, Unavailable
from core.kernel.time import Clock
from core.notifications import PushAnswer, PushNote

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
LIFE: Final = timedelta(hours=1)
_EARLY: Final = timedelta(minutes=2)
_AT_ONCE: Final = 10
_QUOTA_WAIT: Final = 60.0
"""Seconds; Google asks for a minute at least."""
_AGAIN: Final = frozenset(
    {"UNAVAILABLE", "INTERNAL", "QUOTA_EXCEEDED", "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}
)


@frozen(kw_only=True)
class ServiceAccount:
    """A service account of a Firebase project; its key signs what it is let in with."""

    project_id: str
    client_email: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    key_id: str = ""

    @classmethod
    def from_json(cls, text: str) -> ServiceAccount:
        """Read the file that Google gives out; raise `Invalid`, which shows nothing of it.

        Where to ask for tokens is a setting: the address in the file could lead anywhere.
        """
        try:
            data = json.loads(text)
            key = serialization.load_pem_private_key(data["private_key"].encode(), password=None)
            project, email = data["project_id"], data["client_email"]
        except (ValueError, LookupError, TypeError, AttributeError, UnsupportedAlgorithm):
            key, project, email, data = None, None, None, {}
        if not isinstance(key, rsa.RSAPrivateKey) or not isinstance(project, str) or not isinstance(email, str):
            msg = "the service account must be the JSON file with project_id, client_email and private_key"
            raise Invalid(msg, field="service_account")
        return cls(project_id=project, client_email=email, private_key=key, key_id=str(data.get("private_key_id", "")))


class _NoToken(Exception):
    """Google did not let the service account in; `again` says whether it may later."""

    def __init__(self, code: str, *, again: bool) -> None:
        self.code, self.again = code, again
        super().__init__(code)


@frozen
class FcmPush:
    """`core.notifications.ports.PushService`; `accounts` gives a tenant's service account or raises `NotFound` or `Invalid`."""

    base_url: str
    token_url: str
    _accounts: Callable[[str], Awaitable[ServiceAccount]]
    _clock: Clock
    _client: httpx2.AsyncClient = field(factory=lambda: httpx2.AsyncClient(timeout=TIMEOUT), repr=False)
    _patience: float = 10.0
    _tokens: dict[tuple[str, str], tuple[str, datetime]] = field(factory=dict, repr=False)

    @property
    def gives_receipts(self) -> bool:
        """Google says no more than that it took a note."""
        return False

    async def push(self, tenant: str, notes: Sequence[PushNote]) -> Sequence[PushAnswer]:
        """Hand over the notes, ten at once, and return the answers in their order."""
        try:
            account = await self._accounts(tenant)
            bearer = await self._bearer(account)
        except (NotFound, Invalid) as missing:
            return [PushAnswer(error_code="no_channel", error_text=str(missing))] * len(notes)
        except _NoToken as refused:
            text = "Google does not let the service account in"
            return [PushAnswer(again=refused.again, error_code=refused.code, error_text=text)] * len(notes)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(note: PushNote) -> PushAnswer:
            async with gate:
                return await self._push_one(account, bearer, note)

        return await asyncio.gather(*map(one, notes))

    async def receipts(self, tenant: str, tickets: Sequence[str]) -> Mapping[str, PushAnswer]:
        """Return nothing: there are none."""
        del tenant, tickets
        return {}

    async def ping(self) -> None:
        """Return if the service answers at all; raise `Unavailable`."""
        try:
            await self._client.get(f"{self.base_url}/v1/")
        except httpx2.HTTPError as failure:
            msg = f"{self.base_url} does not answer"
            raise Unavailable(msg) from failure

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _push_one(self, account: ServiceAccount, bearer: str, note: PushNote) -> PushAnswer:
        address = f"{self.base_url}/v1/projects/{quote(account.project_id, safe='')}/messages:send"
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._client.post(
                    address, json={"message": _message(note)}, headers={"Authorization": f"Bearer {bearer}"}
                )
        except NOT_REACHED as failure:
            return PushAnswer(again=True, error_text=f"FCM does not answer: {failure}")
        except (httpx2.HTTPError, TimeoutError):
            return PushAnswer(lost=True)
        data = data_of(answer)
        if answer.is_success:
            name = data.get("name")
            return PushAnswer(ticket=name) if isinstance(name, str) else PushAnswer(lost=True)
        if answer.status_code == UNAUTHORIZED:
            self._tokens.pop((account.client_email, account.key_id), None)
        return _refusal(answer, data)

    async def _bearer(self, account: ServiceAccount) -> str:
        """Return an access token, asked for anew two minutes before the old one ends."""
        at, key = self._clock(), (account.client_email, account.key_id)
        token, until = self._tokens.get(key, ("", at))
        if until > at:
            return token
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": assertion(account, audience=self.token_url, at=at),
        }
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._client.post(self.token_url, data=form)
        except (httpx2.HTTPError, TimeoutError) as failure:
            code = "unreachable"
            raise _NoToken(code, again=True) from failure
        data = data_of(answer)
        fresh, life = data.get("access_token"), data.get("expires_in")
        if not answer.is_success or not isinstance(fresh, str) or not isinstance(life, int):
            # A key that was taken away, or a clock that is wrong, is mended by somebody; the notes wait as for any broken channel.
            raise _NoToken(words(data.get("error")) or str(answer.status_code), again=True)
        self._tokens[key] = (fresh, at + timedelta(seconds=life) - _EARLY)
        return fresh


def assertion(account: ServiceAccount, *, audience: str, at: datetime) -> str:
    """Return the signed statement (RFC 7523) by which a service account asks for an access token."""
    issued = int(at.timestamp())
    head = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": audience,
        "iat": issued,
        "exp": issued + int(LIFE.total_seconds()),
    }
    signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
    signature = account.private_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_encoded(signature)}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _message(note: PushNote) -> dict[str, Any]:
    return {
        "token": note.token,
        "notification": {"title": note.title, "body": note.body[:TEXT_AT_MOST]},
        "data": dict(note.data),
        "android": {"priority": "high" if note.urgent else "normal"},
        "apns": {
            "headers": {"apns-priority": "10" if note.urgent else "5"},
            "payload": {"aps": {"sound": "default"}},
        },
    }


def _refusal(answer: httpx2.Response, data: Mapping[str, Any]) -> PushAnswer:
    error = data.get("error")
    error = error if isinstance(error, dict) else {}
    details = [each for each in error.get("details") or () if isinstance(each, dict)]
    named = next((words(each.get("errorCode")) for each in details if each.get("errorCode")), "")
    code = named or words(error.get("status")) or str(answer.status_code)
    violations = [each for detail in details for each in detail.get("fieldViolations") or () if isinstance(each, dict)]
    bad_token = code == "INVALID_ARGUMENT" and any(each.get("field") == "message.token" for each in violations)
    again = code in _AGAIN or answer.status_code == TOO_MANY or answer.status_code >= SERVER_ERROR
    wait = retry_after(answer)
    if code in {"QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"}:
        wait = max(wait, _QUOTA_WAIT)
    return PushAnswer(
        error_code=code,
        error_text=words(error.get("message")),
        gone=code == "UNREGISTERED" or bad_token,
        again=again and code != "UNREGISTERED",
        retry_after=wait,
    )

"""Expo's push service: requests of a hundred, a ticket for each note, receipts a quarter of an hour later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import httpx2
from attrs import field, frozen

from adapters.push.http import (
    FORBIDDEN,
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
from core.kernel.errors import Unavailable
from core.notifications import PushAnswer, PushNote

NOTES_AT_MOST: Final = 100
TICKETS_AT_MOST: Final = 1000
_LOST: Final = PushAnswer(lost=True)
_AGAIN: Final = frozenset({"MessageRateExceeded", "InvalidCredentials", "ProviderError", "ExpoError"})
"""What passes by itself, or once somebody mends the project's credentials."""
_TWO_PROJECTS: Final = "PUSH_TOO_MANY_EXPERIENCE_IDS"


@frozen
class ExpoPush:
    """`core.notifications.ports.PushService`; `access_token` gives a tenant's token, or None where its project asks for none."""

    base_url: str
    _access_token: Callable[[str], Awaitable[str | None]]
    _client: httpx2.AsyncClient = field(factory=lambda: httpx2.AsyncClient(timeout=TIMEOUT), repr=False)
    _patience: float = 10.0
    """Seconds for a whole request."""

    @property
    def gives_receipts(self) -> bool:
        """Expo tells what became of a ticket for a day."""
        return True

    async def push(self, tenant: str, notes: Sequence[PushNote]) -> Sequence[PushAnswer]:
        """Hand over the notes, a hundred at a time, and return the answers in their order."""
        answers: list[PushAnswer] = []
        for start in range(0, len(notes), NOTES_AT_MOST):
            answers += await self._push_some(tenant, notes[start : start + NOTES_AT_MOST])
        return answers

    async def receipts(self, tenant: str, tickets: Sequence[str]) -> Mapping[str, PushAnswer]:
        """Return what became of tickets, those that are known by now."""
        known: dict[str, PushAnswer] = {}
        for start in range(0, len(tickets), TICKETS_AT_MOST):
            some = list(tickets[start : start + TICKETS_AT_MOST])
            try:
                answer = await self._post(tenant, "getReceipts", {"ids": some})
            except (httpx2.HTTPError, TimeoutError):
                continue  # they are asked for again
            data = data_of(answer).get("data")
            for ticket, said in data.items() if answer.is_success and isinstance(data, dict) else ():
                if ticket in some and isinstance(said, dict):
                    known[ticket] = _said(said) if said.get("status") == "error" else PushAnswer(ticket=ticket)
        return known

    async def ping(self) -> None:
        """Return if the service answers at all; raise `Unavailable`."""
        try:
            await self._client.get(f"{self.base_url}/--/api/v2/push")
        except httpx2.HTTPError as failure:
            msg = f"{self.base_url} does not answer"
            raise Unavailable(msg) from failure

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _push_some(self, tenant: str, notes: Sequence[PushNote]) -> Sequence[PushAnswer]:
        try:
            answer = await self._post(tenant, "send", [_message(note) for note in notes])
        except NOT_REACHED as failure:
            return [PushAnswer(again=True, error_text=f"Expo does not answer: {failure}")] * len(notes)
        except (httpx2.HTTPError, TimeoutError):
            return [_LOST] * len(notes)
        data = data_of(answer)
        tickets = data.get("data")
        if answer.is_success and isinstance(tickets, list) and len(tickets) == len(notes):
            return [_ticket(each) for each in tickets]
        error = _first_error(data)
        code = words(error.get("code")) or str(answer.status_code)
        text = words(error.get("message"))
        if code == _TWO_PROJECTS and (apart := _by_project(notes, error.get("details"))):
            by_note: dict[int, PushAnswer] = {}
            for some in apart:
                by_note.update(zip((id(note) for note in some), await self._push_some(tenant, some), strict=True))
            return [by_note[id(note)] for note in notes]
        if answer.is_success and not error:
            return [_LOST] * len(notes)  # taken, and what became of which nobody knows
        passing = {TOO_MANY, UNAUTHORIZED, FORBIDDEN}
        if answer.status_code in passing or answer.status_code >= SERVER_ERROR:
            wait = retry_after(answer)
            return [PushAnswer(again=True, error_code=code, error_text=text, retry_after=wait)] * len(notes)
        return [PushAnswer(error_code=code, error_text=text)] * len(notes)

    async def _post(self, tenant: str, what: str, body: Any) -> httpx2.Response:
        async with asyncio.timeout(self._patience):
            token = await self._access_token(tenant)
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            return await self._client.post(f"{self.base_url}/--/api/v2/push/{what}", json=body, headers=headers)


def _message(note: PushNote) -> dict[str, Any]:
    return {
        "to": note.token,
        "title": note.title,
        "body": note.body[:TEXT_AT_MOST],
        "data": dict(note.data),
        "sound": "default",
        "priority": "high" if note.urgent else "default",
        "channelId": "default",
    }


def _ticket(said: Any) -> PushAnswer:
    if not isinstance(said, dict):
        return _LOST
    ticket = said.get("id")
    if said.get("status") == "ok" and isinstance(ticket, str):
        return PushAnswer(ticket=ticket)
    return _said(said)


def _said(said: Mapping[str, Any]) -> PushAnswer:
    details = said.get("details")
    code = words(details.get("error")) if isinstance(details, dict) else ""
    return PushAnswer(
        error_code=code or "error",
        error_text=words(said.get("message")),
        gone=code == "DeviceNotRegistered",
        again=code in _AGAIN,
    )


def _first_error(data: Mapping[str, Any]) -> Mapping[str, Any]:
    errors = data.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _by_project(notes: Sequence[PushNote], details: object) -> list[list[PushNote]]:
    """Return the notes apart by project, as Expo's refusal names them; nothing if it does not name all of them in several."""
    if not isinstance(details, dict):
        return []
    project_of = {token: name for name, tokens in details.items() if isinstance(tokens, list) for token in tokens}
    apart: dict[str, list[PushNote]] = {}
    for note in notes:
        if note.token not in project_of:
            return []
        apart.setdefault(project_of[note.token], []).append(note)
    return list(apart.values()) if len(apart) > 1 else []

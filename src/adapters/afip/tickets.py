"""Access tickets: asked for with a signed request, kept for twelve hours, shared by all processes.

AFIP refuses a second ticket while it thinks that the first is fresh, so a ticket is stored before it is used, and one process at a
time asks for the next.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Protocol

from attrs import define, field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7
from lxml import etree
from zeep.exceptions import Fault

from adapters.afip.breaker import Breaker
from adapters.afip.soap import brief, in_thread, service
from core.invoicing import Observation, Refused
from core.kernel.errors import Unavailable
from core.kernel.time import Clock

BINDING: Final = "{https://wsaahomo.afip.gov.ar/ws/services/LoginCms}LoginCmsSoapBinding"
MARGIN: Final = timedelta(minutes=10)
"""A ticket is renewed this long before its end."""
SKEW: Final = timedelta(minutes=10)
"""How far our clock may be ahead of AFIP's."""
RENEWAL: Final = 45.0
"""Seconds after which a renewal that did not come back is somebody else's turn."""
PATIENCE: Final = 25.0
WAIT: Final = 0.2
"""Seconds for which we wait for another process's renewal, and between two looks."""
ARGENTINA: Final = timezone(timedelta(hours=-3))


@frozen
class AfipCredentials:
    """A tenant's certificate and private key, both PEM; never shown."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)


@frozen
class Ticket:
    """What WSFEv1 wants to see in each request; never shown."""

    token: str = field(repr=False)
    sign: str = field(repr=False)
    expires_at: datetime


class TicketStore(Protocol):
    """Where tickets outlive processes; what it keeps is encrypted."""

    async def load(self, key: str) -> str | None:
        """Return the text kept under the key, or None."""
        ...

    async def save(self, key: str, text: str) -> None:
        """Keep the text under the key."""
        ...

    def renewing(self, key: str, *, seconds: float) -> AbstractAsyncContextManager[bool]:
        """Hold the right to renew, for at most so long: True for one holder at a time, among all processes."""
        ...


@define
class Wsaa:
    """Tickets for WSFEv1, one for each certificate."""

    _url: str
    _store: TicketStore
    _clock: Clock
    _known: dict[str, Ticket] = field(factory=dict, repr=False)
    _renewals: dict[str, asyncio.Task[Ticket]] = field(factory=dict, repr=False)
    _service: Any = field(default=None, repr=False)
    _breaker: Breaker = field(factory=lambda: Breaker("AFIP's WSAA"), repr=False)

    async def ticket(self, credentials: AfipCredentials, *, rejected: Ticket | None = None) -> Ticket:
        """Return a ticket other than the rejected one, valid for ten minutes more if AFIP gives such; raise `Unavailable` or `Refused`."""
        key = f"wsaa:{self._url}:{fingerprint(credentials)}:wsfe"
        while True:
            known = self._known.get(key)
            if known is not None and known != rejected and self._fresh(known):
                return known
            task = self._renewals.get(key)
            if task is None:
                task = asyncio.create_task(self._obtain(key, credentials, rejected))
                self._renewals[key] = task
                task.add_done_callback(lambda done: self._finished(key, done))
            # A caller who gives up does not take the ticket with them that AFIP has already given.
            obtained = await asyncio.shield(task)
            if obtained != rejected:
                return obtained

    def _fresh(self, ticket: Ticket) -> bool:
        return self._clock() < ticket.expires_at - MARGIN

    def _finished(self, key: str, task: asyncio.Task[Ticket]) -> None:
        self._renewals.pop(key, None)
        if not task.cancelled():
            task.exception()  # the callers have it; without callers it is nobody's

    async def _obtain(self, key: str, credentials: AfipCredentials, rejected: Ticket | None) -> Ticket:
        """Take what another process has renewed, or renew: whoever holds the lease asks AFIP."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            async with self._store.renewing(key, seconds=RENEWAL) as ours:
                stored = readable(await self._store.load(key))
                stored = None if stored == rejected else stored
                if stored is not None and self._fresh(stored):
                    self._known[key] = stored
                    return stored
                if ours:
                    return await self._renew(key, credentials, fallback=stored)
            if asyncio.get_running_loop().time() > until:
                msg = "another process has been asking AFIP for an access ticket for too long"
                raise Unavailable(msg)
            await asyncio.sleep(WAIT)

    async def _renew(self, key: str, credentials: AfipCredentials, *, fallback: Ticket | None) -> Ticket:
        request = sign_request(credentials, at=self._clock())
        self._breaker.enter()
        try:
            text = await in_thread(self._login, request)
            self._breaker.succeeded()
        except Fault as fault:
            self._breaker.succeeded()
            code = brief(fault.code).rpartition(":")[2]
            if code == "coe.alreadyAuthenticated":
                if fallback is not None and self._clock() < fallback.expires_at:
                    return fallback
                msg = "AFIP says we hold a valid ticket, but we do not have it; it gives another in about ten minutes"
                raise Unavailable(msg) from fault
            if code.startswith(("coe.", "cms.", "xml.", "wsn.notFound")):
                raise Refused([Observation(0, f"WSAA {code}: {brief(fault.message)}")]) from fault
            msg = f"AFIP gives no access ticket now ({code}: {brief(fault.message)})"
            raise Unavailable(msg) from fault
        except Exception as failure:  # zeep raises whatever the answer provokes
            self._breaker.failed()
            msg = "AFIP's WSAA does not answer, or not sensibly"
            raise Unavailable(msg) from failure
        ticket = parse_ticket(text)
        self._known[key] = ticket
        await self._store.save(key, text)
        return ticket

    def _login(self, request: str) -> str:
        if self._service is None:
            self._service, _ = service("wsaa.wsdl", binding=BINDING, url=self._url)
        answer: str = self._service.loginCms(in0=request)
        return answer


def sign_request(credentials: AfipCredentials, *, at: datetime) -> str:
    """Return the ticket request, signed with the certificate's key, as base64 of a DER CMS (not detached)."""

    def stamp(instant: datetime) -> str:
        return instant.astimezone(ARGENTINA).isoformat(timespec="seconds")

    request = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<loginTicketRequest version="1.0"><header>'
        f"<uniqueId>{int(at.timestamp()) % 2**32}</uniqueId>"
        f"<generationTime>{stamp(at - SKEW)}</generationTime>"
        f"<expirationTime>{stamp(at + SKEW)}</expirationTime>"
        "</header><service>wsfe</service></loginTicketRequest>"
    )
    certificate = _certificate(credentials)
    try:
        key = serialization.load_pem_private_key(credentials.key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as broken:
        raise Refused([Observation(0, "the key of the AFIP certificate cannot be read")]) from broken
    if not isinstance(key, RSAPrivateKey):
        raise Refused([Observation(0, "the AFIP certificate must have an RSA key")])
    if key.public_key() != certificate.public_key():
        raise Refused([Observation(0, "the key is not that of the AFIP certificate")])
    signed = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(request.encode())
        .add_signer(certificate, key, hashes.SHA256())
        .sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )
    return base64.b64encode(signed).decode()


def fingerprint(credentials: AfipCredentials) -> str:
    """Return the certificate's SHA-256 in hexadecimal; raise `Refused` if it is none."""
    return _certificate(credentials).fingerprint(hashes.SHA256()).hex()


def valid_until(credentials: AfipCredentials) -> datetime:
    """Return the instant at which the certificate expires; raise `Refused` if it is none."""
    return _certificate(credentials).not_valid_after_utc


def _certificate(credentials: AfipCredentials) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(credentials.certificate.encode())
    except ValueError as broken:
        raise Refused([Observation(0, "the AFIP certificate cannot be read")]) from broken


def readable(text: str | None) -> Ticket | None:
    """Return a ticket that was kept; none if what was kept is none."""
    if text is None:
        return None
    try:
        return parse_ticket(text)
    except Unavailable:
        return None


def parse_ticket(text: str) -> Ticket:
    """Read a `loginTicketResponse`; its own end counts. Raise `Unavailable` if it is none."""
    try:
        root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
        expires = datetime.fromisoformat(_within(root, "header/expirationTime"))
        if expires.tzinfo is None:
            expires = expires.replace(tzinfo=ARGENTINA)
        return Ticket(_within(root, "credentials/token"), _within(root, "credentials/sign"), expires.astimezone(UTC))
    except (etree.LxmlError, ValueError, AttributeError, OverflowError) as broken:
        msg = "AFIP's access ticket cannot be read"
        raise Unavailable(msg) from broken


def _within(root: Any, path: str) -> str:
    found = root.findtext(path)
    if not found:
        raise ValueError(path)
    return str(found)

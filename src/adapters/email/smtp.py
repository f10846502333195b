"""Documents by e-mail, through whatever mail server takes them from us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import SMTP as LINES
from email.utils import format_datetime, formataddr, parseaddr
from typing import Final
from urllib.parse import urlsplit

import aiosmtplib
from attrs import field, frozen

from core.kernel.errors import NotFound, Unavailable
from core.kernel.time import Clock
from core.notifications import AnswerLost, Delivery, Document, SendRefused, title

SECONDS: Final = 20.0
_PERMANENT: Final = 500
_PORTS: Final = {"smtp": 587, "smtps": 465}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@frozen(kw_only=True)
class MailAccount:
    """Whom the mail server knows us as, and whom letters come from: `Name <address>`."""

    username: str
    password: str = field(repr=False)
    sender: str


@frozen
class SmtpLetters:
    """`core.notifications.ports.Channel` over SMTP submission (RFC 6409).

    `smtp://` asks for STARTTLS, without which nothing is sent except to this machine itself; `smtps://` is encrypted from the start.
    """

    url: str
    _accounts: Callable[[str], Awaitable[MailAccount]]
    _link_to: Callable[[str], str]
    _clock: Clock
    _seconds: float = SECONDS

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Send the letter and return its Message-ID, which is the same however often it is sent."""
        try:
            account = await self._accounts(delivery.tenant)
        except NotFound as missing:
            raise SendRefused("no_channel", str(missing)) from missing
        address = delivery.recipient.email
        if address is None:
            raise SendRefused("no_address", "there is no e-mail address")
        letter = self._letter(delivery, account, address, document)
        sender = parseaddr(account.sender)[1]
        client = self._client()
        try:
            await self._open(client, account)
            await client.mail(sender)
            await client.rcpt(address)
        except aiosmtplib.SMTPResponseException as refusal:
            raise self._meant(refusal) from refusal
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
            msg = f"the mail server does not answer ({type(failure).__name__})"
            raise Unavailable(msg) from failure
        else:
            await self._hand_over(client, letter)
        finally:
            client.close()
        return str(letter["Message-ID"])

    async def ping(self) -> None:
        """Return if the server greets us; raise `Unavailable`."""
        client = self._client()
        try:
            async with asyncio.timeout(self._seconds):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
            msg = "the mail server does not answer"
            raise Unavailable(msg) from failure
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        parts = urlsplit(self.url)
        host, secure = parts.hostname or "", parts.scheme == "smtps"
        return aiosmtplib.SMTP(
            hostname=host,
            port=parts.port or _PORTS[parts.scheme],
            use_tls=secure,
            start_tls=False if secure else (None if host in _LOOPBACK else True),
            timeout=self._seconds,
        )

    async def _open(self, client: aiosmtplib.SMTP, account: MailAccount) -> None:
        async with asyncio.timeout(self._seconds):
            await client.connect()
            try:
                await client.login(account.username, account.password)
            except aiosmtplib.SMTPAuthenticationError as refused:
                msg = f"the mail server does not accept this channel's credentials ({refused.code})"
                raise Unavailable(msg) from None

    async def _hand_over(self, client: aiosmtplib.SMTP, letter: EmailMessage) -> None:
        """Send what it is about. From here on silence may mean that it was taken."""
        try:
            async with asyncio.timeout(self._seconds):
                await client.data(letter.as_bytes(policy=LINES))
        except aiosmtplib.SMTPResponseException as refusal:
            raise self._meant(refusal) from refusal
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
            msg = "the mail server gave no answer to a letter"
            raise AnswerLost(msg) from failure

    @staticmethod
    def _meant(refusal: aiosmtplib.SMTPResponseException) -> Unavailable | SendRefused:
        """A reply from 500 on is for good, one from 400 on for now (RFC 5321, 4.2.1)."""
        text = " ".join(refusal.message.split())[:500]
        if refusal.code >= _PERMANENT:
            return SendRefused(str(refusal.code), text)
        return Unavailable(f"the mail server asks to wait ({refusal.code}): {text}")

    def _letter(
        self, delivery: Delivery, account: MailAccount, address: str, document: Document | None
    ) -> EmailMessage:
        name, sender = parseaddr(account.sender)
        letter = EmailMessage()
        letter["From"] = formataddr((_line(name), sender))
        letter["To"] = formataddr((_line(delivery.recipient.name), address))
        letter["Subject"] = title(delivery.event, delivery.language)
        letter["Date"] = format_datetime(self._clock())
        letter["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2] or 'cuadrilla'}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter["Content-Language"] = delivery.language
        text = delivery.text if delivery.link is None else f"{delivery.text}\n\n{self._link_to(delivery.link)}"
        letter.set_content(f"{text}\n")
        if document is not None:
            kind, _, sort = document.content_type.partition("/")
            letter.add_attachment(document.content, maintype=kind, subtype=sort, filename=_line(document.filename))
        return letter


def _line(text: str) -> str:
    """Return a text that cannot begin another header."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())

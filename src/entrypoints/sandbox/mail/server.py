"""SMTP submission (RFC 5321, RFC 4954), as far as a client that logs in and hands over letters needs it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

from attrs import define, field

from entrypoints.sandbox.mail.state import Letter, MailState

_LINE_AT_MOST: Final = 64 * 1024
_LETTER_AT_MOST: Final = 20 * 1024 * 1024
_PATH: Final = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>", re.IGNORECASE)
_MAILBOX: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,250}")


@contextlib.asynccontextmanager
async def mail_server(state: MailState, clock: Callable[[], datetime]) -> AsyncIterator[str]:
    """Take letters beside the block, on the loopback, and give the address."""
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            talks.add(task)
            task.add_done_callback(talks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            await _Talk(state, clock, reader, writer).run()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_LINE_AT_MOST)
    try:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@define
class _Talk:
    """One connection."""

    _state: MailState
    _clock: Callable[[], datetime]
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _address: str | None = field(default=None, init=False)
    """Whom the client may write as, once it has logged in."""
    _sender: str | None = field(default=None, init=False)
    _recipients: list[str] = field(factory=list, init=False)

    async def run(self) -> None:
        await self._say("220 sandbox.invalid ESMTP")
        while True:
            line = (await self._reader.readuntil(b"\n")).decode("utf-8", "replace").strip()
            word, _, rest = line.partition(" ")
            match word.upper():
                case "EHLO":
                    size = f"250-SIZE {_LETTER_AT_MOST}"
                    await self._say("250-sandbox.invalid", size, "250-AUTH PLAIN LOGIN", "250 8BITMIME")
                case "HELO" | "NOOP":
                    await self._say("250 ok")
                case "RSET":
                    self._forget()
                    await self._say("250 ok")
                case "QUIT":
                    await self._say("221 bye")
                    return
                case "AUTH":
                    await self._log_in(rest)
                case "MAIL":
                    await self._mail(rest)
                case "RCPT":
                    await self._rcpt(rest)
                case "DATA":
                    if not await self._data():
                        return
                case _:
                    await self._say("500 5.5.2 unknown command")

    async def _log_in(self, rest: str) -> None:
        kind, _, given = rest.partition(" ")
        try:
            if kind.upper() == "LOGIN":
                username = _plain(given) if given else await self._asked("Username:")
                password = await self._asked("Password:")
            else:
                if not given:
                    await self._say("334 ")
                    given = (await self._reader.readuntil(b"\n")).decode().strip()
                _, username, password = _plain(given).split("\0")
        except (ValueError, binascii.Error):
            await self._say("501 5.5.2 cannot decode")
            return
        account = self._state.account(username)
        if account is None or not hmac.compare_digest(account[0].encode(), password.encode()):
            await self._say("535 5.7.8 authentication credentials invalid")
            return
        self._address = account[1]
        await self._say("235 2.7.0 ok")

    async def _asked(self, what: str) -> str:
        await self._say("334 " + base64.b64encode(what.encode()).decode())
        return _plain((await self._reader.readuntil(b"\n")).decode().strip())

    async def _mail(self, rest: str) -> None:
        found, ordered = _PATH.match(rest), self._state.reply("mail")
        if self._address is None:
            await self._say("530 5.7.0 authentication required")
        elif ordered is not None:
            await self._say(f"{ordered.code} {ordered.text}")
        elif found is None:
            await self._say("501 5.1.7 bad sender address")
        elif found[1].lower() != self._address.lower():
            await self._say("553 5.7.1 sender address not owned by the account")
        else:
            self._forget()
            self._sender = found[1]
            await self._say("250 2.1.0 ok")

    async def _rcpt(self, rest: str) -> None:
        found, ordered = _PATH.match(rest), self._state.reply("rcpt")
        if self._sender is None:
            await self._say("503 5.5.1 MAIL first")
        elif ordered is not None:
            await self._say(f"{ordered.code} {ordered.text}")
        elif found is None or not _MAILBOX.fullmatch(found[1]):
            await self._say("501 5.1.3 bad recipient address")
        else:
            self._recipients.append(found[1])
            await self._say("250 2.1.5 ok")

    async def _data(self) -> bool:
        """Take a letter; False if the connection is to break off."""
        if not self._recipients:
            await self._say("503 5.5.1 RCPT first")
            return True
        await self._say("354 go on")
        lines: list[bytes] = []
        size = 0
        while (line := await self._reader.readuntil(b"\n")) not in {b".\r\n", b".\n"}:
            size += len(line)
            if size <= _LETTER_AT_MOST:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        ordered = self._state.reply("data")
        if ordered is not None and not ordered.cut:
            await self._say(f"{ordered.code} {ordered.text}")
            return True
        if size > _LETTER_AT_MOST:
            await self._say("552 5.3.4 message too big")
            return True
        for recipient in self._recipients:
            letter = Letter(
                sender=self._sender or "", recipient=recipient, raw=b"".join(lines), at=self._clock().timestamp()
            )
            self._state.add(letter)
        self._forget()
        if ordered is not None:
            return False
        await self._say("250 2.0.0 taken")
        return True

    def _forget(self) -> None:
        self._sender = None
        self._recipients.clear()

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()


def _plain(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()

"""Passwords: Argon2id (RFC 9106), and bcrypt for what was hashed elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from typing import Final

import bcrypt
from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError
from attrs import define, field

from core.identity.ports import Verdict
from core.kernel.errors import Unavailable

MEMORY: Final = 46 * 1024
"""KiB for each password that is being looked at (OWASP: 46 MiB, one pass, one lane)."""
WEAKEST_BCRYPT: Final = 10
"""The cost below which a bcrypt hash is not believed."""
_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}\Z")
_BCRYPT_READS: Final = 72
"""Bytes of a password that bcrypt looks at."""


@define
class Argon2Passwords:
    """`core.identity.ports.PasswordHasher`, in threads; `together` passwords at a time, which bounds the memory.

    By default a core is left for everything else. While `waiting` of them wait, another one is `Unavailable`: a flood of log-ins
    is told to come back, instead of waiting until nobody listens any more.
    """

    memory: int = MEMORY
    passes: int = 1
    lanes: int = 1
    together: int = field(factory=lambda: max(1, (os.cpu_count() or 1) - 1))
    waiting: int = 32
    _hasher: PasswordHasher = field(init=False, repr=False)
    _turns: asyncio.Semaphore = field(init=False, repr=False)
    _queue: int = field(default=0, init=False, repr=False)
    _nobody: str | None = field(default=None, init=False, repr=False)

    @_hasher.default
    def _as_wanted(self) -> PasswordHasher:
        return PasswordHasher(
            time_cost=self.passes,
            memory_cost=self.memory,
            parallelism=self.lanes,
            hash_len=32,
            salt_len=16,
            type=Type.ID,
        )

    @_turns.default
    def _as_many_as_wanted(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self.together)

    async def hash(self, password: str) -> str:
        """Return what is kept of a password; another text each time."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Compare; with None work as long and say no."""
        async with self._turn():
            return await asyncio.to_thread(self._verify, stored, password)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._queue >= self.together + self.waiting:
            msg = "too many passwords are being looked at; try again in a few seconds"
            raise Unavailable(msg)
        self._queue += 1
        try:
            async with self._turns:
                yield
        finally:
            self._queue -= 1

    def _verify(self, stored: str | None, password: str) -> Verdict:
        if stored is None:
            if self._nobody is None:
                self._nobody = self._hasher.hash(os.urandom(16).hex())
            self._argon2(self._nobody, password)
            return Verdict(right=False)
        if (foreign := _BCRYPT.match(stored)) is not None:
            if int(foreign[1]) < WEAKEST_BCRYPT:
                return Verdict(right=False)
            try:
                right = bcrypt.checkpw(password.encode()[:_BCRYPT_READS], stored.encode())
            except ValueError:  # a salt that is none
                right = False
            return Verdict(right=right, outdated=right)
        right = self._argon2(stored, password)
        return Verdict(right=right, outdated=right and self._hasher.check_needs_rehash(stored))

    def _argon2(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):  # the last for letters that no hash has
            return False

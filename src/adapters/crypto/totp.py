"""Codes of authenticator apps (RFC 6238): six digits, thirty seconds, SHA-1, which is what the apps can do."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Final

import pyotp
from attrs import frozen

SECONDS: Final = 30
NEIGHBOURS: Final = (0, -1, 1)
"""Steps by which a phone's clock may differ."""


@frozen
class AuthenticatorApp:
    """`core.identity.ports.Totp`; apps show the issuer's name."""

    issuer: str = "Cuadrilla"

    def secret(self) -> str:
        """Return a new secret of 160 random bits in base 32."""
        return pyotp.random_base32()

    def uri(self, secret: str, *, account: str) -> str:
        """Return the `otpauth://` address for a QR code."""
        return pyotp.TOTP(secret, interval=SECONDS).provisioning_uri(name=account, issuer_name=self.issuer)

    def step(self, secret: str, code: str, *, at: datetime) -> int | None:
        """Return the time step whose code it is, or None."""
        counter, now = pyotp.TOTP(secret, interval=SECONDS), int(at.timestamp()) // SECONDS
        found = None
        for step in (now + by for by in NEIGHBOURS):
            if hmac.compare_digest(counter.generate_otp(step).encode(), code.encode()) and found is None:
                found = step
        return found

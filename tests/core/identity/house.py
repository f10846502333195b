"""Everything that lets people in, on memory adapters, with a clock moved by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import pyotp
from attrs import define, field

from adapters.crypto import (
    Argon2Passwords,
    AuthenticatorApp,
    SignedTokens,
    derived_key,
    keyed_digest,
    new_bearer,
    new_code,
)
from adapters.memory import MemoryCodeChannel, MemoryLimiter, MemoryOtpStore, MemoryStore
from adapters.phones import normaliser
from core.identity import (
    Audit,
    Colleagues,
    Credentials,
    Identity,
    Machines,
    Origin,
    Otp,
    OtpRules,
    Passwords,
    Phones,
    SecondFactors,
    Sent,
    Sessions,
    Tenant,
    Tenants,
    Tokens,
    User,
)
from core.kernel.actor import Actor
from core.kernel.events import Fact
from tests.contracts.samples import MINE, Counter, Hands

SECRET: Final = b"0123456789abcdef0123456789abcdef"
HERE: Final = Origin("corr_1", ip="203.0.113.7", agent="Firefox")
PHONE: Final = "+5491155550001"
MARTA: Final = User(id="user_marta", tenant=MINE, name="Marta Díaz", role="dispatcher", phone=PHONE)
OWNER: Final = User(id="user_olga", tenant=MINE, name="Olga Paz", role="owner", phone="+5491155550009")


async def _calm(_: str) -> None:
    return None


@define
class House:
    """Log-in of one tenant, `MINE`, whose people are Marta and Olga."""

    rules: OtpRules = field(factory=OtpRules)
    pause: Callable[[str], Awaitable[None]] = _calm
    clock: Hands = field(factory=Hands)
    new_id: Counter = field(factory=Counter)
    whatsapp: MemoryCodeChannel = field(factory=MemoryCodeChannel)
    sms: MemoryCodeChannel = field(factory=MemoryCodeChannel)

    store: MemoryStore = field(init=False)
    codes: MemoryOtpStore = field(init=False)
    access: SignedTokens = field(init=False)
    app: AuthenticatorApp = field(factory=AuthenticatorApp, init=False)
    sessions: Sessions = field(init=False)
    factors: SecondFactors = field(init=False)
    otp: Otp = field(init=False)
    passwords: Passwords = field(init=False)
    machines: Machines = field(init=False)
    audit: Audit = field(init=False)
    identity: Identity = field(init=False)
    colleagues: Colleagues = field(init=False)
    tenants: Tenants = field(init=False)
    credentials: Credentials = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock, new_id = self.clock, self.new_id
        self.store = store = MemoryStore(clock=clock, new_id=new_id, pause=self.pause)
        self.codes = MemoryOtpStore(self.rules, self.pause)
        self.access = SignedTokens.from_secrets([SECRET])
        digest = keyed_digest(derived_key(SECRET, "codes"))
        limiter = MemoryLimiter(lambda: clock().timestamp(), self.pause)
        self.sessions = Sessions(store.begin, store.log_ins, store.directory, self.access, new_bearer, clock, new_id)
        self.factors = SecondFactors(store.begin, self.app, limiter, digest, new_bearer, clock)
        self.otp = Otp(
            store.begin,
            store.accounts,
            store.directory,
            self.codes,
            limiter,
            Phones(normalise=normaliser(), whatsapp=self.whatsapp, sms=self.sms, delivered=self.whatsapp.delivered),
            self.factors,
            self.sessions,
            digest,
            new_code,
            clock,
            new_id,
            self.rules,
        )
        self.passwords = Passwords(
            store.begin,
            store.accounts,
            store.directory,
            Argon2Passwords(memory=16),
            limiter,
            self.factors,
            self.sessions,
            clock,
            new_id,
        )
        self.machines = Machines(store.begin, store.service_tokens, new_bearer, clock, new_id)
        self.audit = Audit(store.audit)
        self.identity = Identity(store.directory, self.sessions, self.machines)
        self.colleagues = Colleagues(store.begin, self.sessions, normaliser(), clock, new_id)
        self.tenants = Tenants(store.begin, store.directory, Argon2Passwords(memory=16), normaliser(), clock, new_id)
        self.credentials = Credentials(store.begin, store.secrets, clock)

    async def move_in(self) -> House:
        """Let the directory know the people."""
        await self.store.directory.enrol(Tenant(id=MINE, name="Palermo"), [MARTA, OWNER])
        return self

    async def request(self, *, phone: str, origin: Origin) -> Sent | None:
        """Ask for a code and send it."""
        made = await self.otp.request(phone=phone, origin=origin)
        return None if made is None else await self.otp.send(made=made, origin=origin)

    async def log_in(self, phone: str = PHONE, *, totp: str | None = None) -> Tokens:
        """Log somebody in by their phone."""
        self.clock.forward(minutes=31)
        await self.request(phone=phone, origin=HERE)
        return await self.otp.verify(phone=phone, code=self.code, origin=HERE, totp=totp)

    async def register(self, email: str = "ana@example.com", password: str = "correct horse 7!") -> Tokens:
        """Register somebody by their address."""
        return await self.passwords.register(
            email=email, password=password, name="Ana Ruiz", business="Ruiz Hnos.", origin=HERE
        )

    @property
    def code(self) -> str:
        """The code that was sent last by WhatsApp."""
        return self.whatsapp.sent[-1].code

    @property
    def wrong_code(self) -> str:
        """Another one."""
        return f"{(int(self.code) + 1) % 1_000_000:06}"

    def app_code(self, secret: str, *, later: int = 0) -> str:
        """What the authenticator app shows, `later` steps from now."""
        return pyotp.TOTP(secret).at(self.clock.at + timedelta(seconds=30 * later))

    async def facts(self, tenant: str = MINE) -> list[Fact]:
        """Return what the audit log says, the oldest first."""
        actor = Actor(tenant=tenant, id="user_olga", role="owner", correlation="corr_audit")
        page, _ = await self.audit.read(actor=actor, limit=1000)
        return [envelope.fact for envelope in reversed(page)]

    async def names(self, tenant: str = MINE) -> list[str]:
        """Return the names of those facts."""
        return [fact.name for fact in await self.facts(tenant)]


def acting(tokens: Tokens) -> Actor:
    """Return the person as the actor of a request."""
    user = tokens.user
    return Actor(tenant=user.tenant, id=user.id, role=user.role, correlation="corr_2")

"""Settings become a running application: plain constructor calls, nothing hidden.

The only module that knows the adapters. Which store, buffer or broker runs is decided here and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from importlib import resources
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from attrs import field, frozen

from adapters.afip import AfipAuthority, AfipCredentials, valid_until
from adapters.bridge import (
    DescribedVisits,
    DirectoryColleagues,
    InvoiceDocuments,
    JobsAsWork,
    RegisteredClients,
    ReportedArrivals,
)
from adapters.bridge.offline import ClientsInside, KnownPeople, TrackedPositions, VisitsInside
from adapters.crypto import (
    Argon2Passwords,
    AuthenticatorApp,
    SignedTokens,
    Vault,
    derived_key,
    keyed_digest,
    link_token,
    new_bearer,
    new_code,
    new_id,
)
from adapters.email import MailAccount, SmtpLetters
from adapters.llm.extractor import SpanishExtractor
from adapters.media import FileMedia
from adapters.memory import (
    MemoryBuffer,
    MemoryKnownLogIns,
    MemoryLimiter,
    MemoryMedia,
    MemoryOtpStore,
    MemoryPositions,
    MemoryStore,
)
from adapters.pdf import TypstPrinter
from adapters.phones import normaliser
from adapters.push import ExpoPush, FcmPush, ServiceAccount
from adapters.routing import engine_at
from adapters.sql import SqlSealed, SqlStore, Turned, pending, upgrade
from adapters.twilio import STATUSES, TwilioAccount, TwilioApi, TwilioSms, TwilioTexts, is_signed
from adapters.whatsapp import (
    Graph,
    WhatsAppAccount,
    WhatsAppChannel,
    WhatsAppCodes,
    arrivals,
    decode,
    register_templates,
    signed_by,
)
from core.customers import Customers
from core.identity import (
    Audit,
    Colleagues,
    Credentials,
    Identity,
    Machines,
    Otp,
    OtpRules,
    Passwords,
    Phones,
    SecondFactors,
    Sessions,
    Tenants,
)
from core.identity.ports import Digest, KnownLogIns, OtpStore
from core.invoicing import Invoicing
from core.jobs import Jobs
from core.kernel.errors import CuadrillaError, NotFound, Unavailable
from core.kernel.ports import IdempotencyKeys, NewId, RateLimiter
from core.kernel.time import Clock
from core.messaging import AggregationRules, Messaging
from core.messaging.ports import LanguageModel, MessageBuffer
from core.notifications import Choices, Notifications
from core.notifications.ports import Channel, PushService
from core.offline import Offline
from core.reactions import (
    Publish,
    Reactor,
    Relay,
    Reminders,
    Telling,
    WhenAJobMoves,
    WhenALogInEnds,
    WhenAnInvoiceIsIssued,
    WhenANotificationIsQueued,
    WhenATripMoves,
    WhenSomebodyWrites,
    reactions_to_facts,
)
from core.tracking import Point, Tracking
from core.tracking.ports import Positions
from entrypoints.examination import Check, Warned
from entrypoints.settings import Settings

Store = SqlStore | MemoryStore
Rotation: TypeAlias = Turned
"""How far the encryption keys have been turned."""
WHATSAPP: Final = "whatsapp:"
TWILIO: Final = "twilio"
EXPO, FCM, SMTP = "expo", "fcm", "smtp"
AFIP: Final = "afip"
CERTIFICATE_WARNING: Final = 30
"""Days before its end from which a certificate is warned of."""
STREET: Final = (Point(-34.6037, -58.3816), Point(-34.6083, -58.3712))
"""Two places that a routing engine is asked about to see whether it answers, be they on its map or not."""
ACCOUNTS_LIFE: Final = 15.0
"""Seconds for which a process remembers the channels; a new secret works everywhere within that time."""


def now() -> datetime:
    """Tell the present instant."""
    return datetime.now(UTC)


@frozen
class WhatsAppDoor:
    """What the webhook needs of the WhatsApp adapter, and the accounts behind it."""

    _secrets: Any
    signed_by: Callable[[bytes, str | None, Sequence[str]], str | None] = signed_by
    decode: Callable[..., Any] = decode
    _remembered: dict[str, tuple[float, tuple[WhatsAppAccount, ...]]] = field(factory=dict, repr=False)

    async def accounts(self) -> tuple[WhatsAppAccount, ...]:
        """Return every tenant's channels."""
        until, accounts = self._remembered.get("all", (0.0, ()))
        if until < time.monotonic():
            rows = await self._secrets.all(WHATSAPP)
            accounts = tuple(WhatsAppAccount(tenant=tenant, **values) for tenant, _, values in rows)
            self._remembered["all"] = (time.monotonic() + ACCOUNTS_LIFE, accounts)
        return accounts

    async def account_of(self, tenant: str) -> WhatsAppAccount:
        """Return the channel that a tenant writes from; raise `NotFound`."""
        for account in await self.accounts():
            if account.tenant == tenant:
                return account
        msg = f"{tenant} has no WhatsApp channel"
        raise NotFound(msg)

    def forget(self) -> None:
        """Read the accounts anew at the next use."""
        self._remembered.clear()


@frozen
class TwilioDoor:
    """What the webhook needs of the Twilio adapter: whose account a tenant's messages go out from, and Twilio's signature."""

    account_of: Callable[[str | None], Awaitable[TwilioAccount]]
    address: str
    """What Twilio calls: it signs the address, so it is not taken from the request."""
    is_signed: Callable[..., bool] = is_signed
    statuses: Mapping[str, str] = field(factory=lambda: STATUSES)


@frozen
class Keys:
    """The encryption keys by name, the one that seals first, and what lies under them; in memory nothing does."""

    names: tuple[str, ...]
    _sealed: SqlSealed | None

    async def in_use(self) -> Mapping[str, int]:
        """Return how many values are under each key."""
        return {} if self._sealed is None else await self._sealed.in_use()

    async def rotate(self) -> AsyncIterator[Turned]:
        """Bring everything under the first key, beside whatever else runs, and tell after each batch how far it is."""
        if self._sealed is not None:
            async for turned in self._sealed.rotate(first=self.names[0]):
                yield turned


@frozen(kw_only=True)
class App:
    """A running system: the services, and what its entry points need besides."""

    settings: Settings
    clock: Clock
    new_id: NewId
    store: Store = field(repr=False)
    identity: Identity
    otp: Otp
    passwords: Passwords
    second_factors: SecondFactors
    sessions: Sessions
    machines: Machines
    audit: Audit
    colleagues: Colleagues
    tenants: Tenants
    credentials: Credentials
    keys: Keys
    customers: Customers
    jobs: Jobs
    messaging: Messaging
    tracking: Tracking
    invoicing: Invoicing
    notifications: Notifications
    offline: Offline
    choices: Choices
    """How people want to be told, and their phones."""
    reminders: Reminders
    reactor: Reactor
    relay_to: Callable[[Publish], Relay]
    whatsapp: WhatsAppDoor
    twilio: TwilioDoor
    limiter: RateLimiter = field(repr=False)
    idempotency: IdempotencyKeys = field(repr=False)
    console_digest: Digest = field(repr=False)
    """For what the console's forms carry, under a key of its own."""
    closing: tuple[Callable[[], Awaitable[None]], ...] = field(repr=False)
    checks: Mapping[str, Check] = field(repr=False)
    """Each configured service by name, for `entrypoints.examination`."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Open what has to be opened, and close it at the end."""
        try:
            yield self
        finally:
            for close in reversed(self.closing):
                await close()

    async def ping_database(self) -> None:
        """Return if the database answers; raise otherwise."""
        await self.store.ping()


def build(settings: Settings, *, clock: Clock = now, new_id: NewId = new_id) -> App:
    """Make the application that the settings describe. Nothing is connected before it is used."""
    vault = Vault.from_setting(settings.encryption_keys)
    zone = ZoneInfo(settings.zone)

    def local_day(instant: datetime) -> date:
        return instant.astimezone(zone).date()

    store = _store(settings, vault, clock, new_id)
    rules = AggregationRules()
    otp_rules = OtpRules()
    buffer, positions, known, limiter, codes, closing, checks = _volatile(settings, rules, otp_rules, clock)
    whatsapp = WhatsAppDoor(store.secrets)
    graph = Graph(settings.whatsapp_api_url)
    channel = WhatsAppChannel(graph, accounts=whatsapp.account_of)
    accounts = Accounts(store.secrets, settings.house_tenant)
    twilio = TwilioApi(settings.twilio_api_url or "")
    phones = _phones(settings, store, whatsapp=whatsapp, graph=graph, twilio=twilio, accounts=accounts)
    outlets = _outlets(settings, channel, twilio, accounts, clock)

    async def afip_credentials(tenant: str) -> AfipCredentials:
        values = await store.secrets.get(tenant, AFIP)
        if values is None:
            msg = f"{tenant} has no AFIP certificate"
            raise NotFound(msg)
        return AfipCredentials(**values)

    authority = AfipAuthority(
        wsaa_url=settings.afip_wsaa_url,
        wsfe_url=settings.afip_wsfe_url,
        credentials=afip_credentials,
        tickets=store.tickets,
        clock=clock,
        trail=store.trail,
    )
    model, close_model = _language_model(settings)
    media = MemoryMedia() if settings.database_url.startswith("memory:") else FileMedia(settings.var / "media")

    digest = keyed_digest(derived_key(settings.secret_key, "digest"))
    sessions = Sessions(
        store.begin,
        store.log_ins,
        store.directory,
        SignedTokens.from_secrets([settings.secret_key, *settings.old_secret_keys]),
        new_bearer,
        clock,
        new_id,
        known=known,
    )
    machines = Machines(store.begin, store.service_tokens, new_bearer, clock, new_id)
    older = tuple(keyed_digest(derived_key(each, "digest")) for each in settings.old_secret_keys)
    second_factors = SecondFactors(store.begin, AuthenticatorApp(), limiter, digest, new_bearer, clock, older)
    hasher = Argon2Passwords()
    otp = Otp(
        store.begin,
        store.accounts,
        store.directory,
        codes,
        limiter,
        phones,
        second_factors,
        sessions,
        digest,
        new_code,
        clock,
        new_id,
        otp_rules,
    )
    passwords = Passwords(
        store.begin,
        store.accounts,
        store.directory,
        hasher,
        limiter,
        second_factors,
        sessions,
        clock,
        new_id,
    )
    identity = Identity(store.directory, sessions, machines, seeded=settings.env == "development")
    customers = Customers(store.begin, store.customers, clock, new_id)
    jobs = Jobs(
        store.begin,
        store.jobs,
        DirectoryColleagues(store.directory),
        RegisteredClients(store.customers),
        media,
        clock,
        new_id,
    )
    messaging = Messaging(store.begin, store.inbox, buffer, model, local_day, clock, new_id, rules)
    routes = None if settings.routing_url is None else engine_at(settings.routing_url)
    tracking = Tracking(
        store.begin,
        store.sessions,
        positions,
        store.history,
        DescribedVisits(store.directory, store.jobs),
        link_token(settings.secret_key),
        clock,
        new_id,
        routes=routes,
    )
    invoicing = Invoicing(
        store.begin,
        store.invoices,
        JobsAsWork(store.jobs, store.customers, local_day, clock),
        store.issuers,
        authority,
        TypstPrinter(sandbox=settings.sandboxed),
        local_day,
        clock,
        new_id,
        turn=_patience,
        trail=store.trail,
    )
    notifications = Notifications(
        store.begin,
        store.deliveries,
        outlets.channels,
        InvoiceDocuments(invoicing),
        _zone_named,
        clock,
        new_id,
        outlets.push,
        outlets.link_to,
        random.SystemRandom().random,
    )
    choices = Choices(store.begin, _zone_named, clock, new_id)
    telling = Telling(notifications, customers, identity, _zone_named)
    reactions = reactions_to_facts(
        messages=WhenSomebodyWrites(messaging, customers, jobs, notifications),
        jobs=WhenAJobMoves(jobs, tracking, telling),
        trips=WhenATripMoves(jobs, tracking, telling),
        invoices=WhenAnInvoiceIsIssued(jobs, telling),
        notifications=WhenANotificationIsQueued(notifications),
        log_ins=WhenALogInEnds(known, choices),
    )
    outbox = store.outbox
    return App(
        settings=settings,
        clock=clock,
        new_id=new_id,
        store=store,
        identity=identity,
        otp=otp,
        passwords=passwords,
        second_factors=second_factors,
        sessions=sessions,
        machines=machines,
        audit=Audit(store.audit),
        colleagues=Colleagues(store.begin, sessions, phones.normalise, clock, new_id),
        tenants=Tenants(store.begin, store.directory, hasher, phones.normalise, clock, new_id),
        credentials=Credentials(store.begin, store.secrets, clock),
        keys=Keys(vault.names, store.sealed if isinstance(store, SqlStore) else None),
        customers=customers,
        jobs=jobs,
        messaging=messaging,
        tracking=tracking,
        invoicing=invoicing,
        notifications=notifications,
        offline=Offline(
            store.begin,
            store.feed,
            VisitsInside(jobs),
            ClientsInside(customers),
            TrackedPositions(tracking),
            KnownPeople(store.directory, _zone_named),
            clock,
        ),
        choices=choices,
        reminders=Reminders(jobs, telling, clock),
        reactor=Reactor(outbox, reactions),
        relay_to=lambda publish: Relay(outbox, publish, reactions, clock),
        whatsapp=whatsapp,
        twilio=TwilioDoor(accounts.twilio, _twilio_calls(settings)),
        limiter=limiter,
        idempotency=store.idempotency,
        console_digest=keyed_digest(derived_key(settings.secret_key, "console")),
        closing=(
            store.close,
            *closing,
            graph.close,
            twilio.close,
            *outlets.closing,
            close_model,
            *(() if routes is None else (routes.close,)),
        ),
        checks={
            "database": store.examined if isinstance(store, SqlStore) else _said(store.ping, "answers"),
            **checks,
            **({} if settings.broker_url is None else {"broker": _broker_answers(settings.broker_url)}),
            "whatsapp": _said(graph.ping, settings.whatsapp_api_url),
            **({"twilio": _said(twilio.ping, settings.twilio_api_url)} if settings.twilio_api_url else {}),
            **outlets.checks,
            **({} if routes is None else {"routing": _said(partial(routes.travel_time, *STREET), "answers")}),
            "afip": _said(authority.ping, settings.afip_wsfe_url),
            "afip_certificates": _certificates(store, clock),
        },
    )


def _store(settings: Settings, vault: Vault, clock: Clock, new_id: NewId) -> Store:
    if settings.database_url.startswith("memory:"):
        return MemoryStore(clock=clock, new_id=new_id)
    return SqlStore(settings.database_url, clock=clock, new_id=new_id, seal=vault.seal, unseal=vault.unseal)


def _volatile(
    settings: Settings, rules: AggregationRules, otp_rules: OtpRules, clock: Clock
) -> tuple[
    MessageBuffer,
    Positions,
    KnownLogIns,
    RateLimiter,
    OtpStore,
    tuple[Callable[[], Awaitable[None]], ...],
    dict[str, Check],
]:
    if settings.redis_url is None:
        return (
            MemoryBuffer(rules),
            MemoryPositions(clock),
            MemoryKnownLogIns(clock),
            MemoryLimiter(),
            MemoryOtpStore(otp_rules),
            (),
            {},
        )
    from adapters.redis import (  # noqa: PLC0415 - only where it is used
        RedisBuffer,
        RedisConnection,
        RedisKnownLogIns,
        RedisLimiter,
        RedisOtpStore,
        RedisPositions,
    )

    connection = RedisConnection(settings.redis_url)
    return (
        RedisBuffer(connection, rules),
        RedisPositions(connection),
        RedisKnownLogIns(connection),
        RedisLimiter(connection, MemoryLimiter()),
        RedisOtpStore(connection, otp_rules),
        (connection.close,),
        {"redis": _said(connection.ping, "answers")},
    )


@frozen
class Accounts:
    """The tenants' accounts outside; who has none of their own sends from the house's."""

    _secrets: Any
    _house: str | None

    async def twilio(self, tenant: str | None) -> TwilioAccount:
        """Return where a tenant's SMS go out from; raise `NotFound`."""
        return TwilioAccount(**await self._kept(tenant, TWILIO, "SMS channel"))

    async def mail(self, tenant: str) -> MailAccount:
        """Return what a tenant's letters come from; raise `NotFound`."""
        return MailAccount(**await self._kept(tenant, SMTP, "mail account"))

    async def expo(self, tenant: str) -> str | None:
        """Return the access token of a tenant's Expo project; None where none is asked for."""
        try:
            return (await self._kept(tenant, EXPO, "Expo project"))["access_token"]
        except NotFound:
            return None

    async def fcm(self, tenant: str) -> ServiceAccount:
        """Return a tenant's service account; raise `NotFound` or `Invalid`."""
        return ServiceAccount.from_json((await self._kept(tenant, FCM, "Firebase project"))["service_account"])

    async def _kept(self, tenant: str | None, purpose: str, what: str) -> Mapping[str, str]:
        for each in dict.fromkeys(each for each in (tenant, self._house) if each):
            values: Mapping[str, str] | None = await self._secrets.get(each, purpose)
            if values is not None:
                return values
        msg = f"{tenant or 'the house'} has no {what}"
        raise NotFound(msg)


def _phones(
    settings: Settings, store: Store, *, whatsapp: WhatsAppDoor, graph: Graph, twilio: TwilioApi, accounts: Accounts
) -> Phones:
    """Return the ways to phones; codes of tenants without a channel of their own go out from the house's."""
    house = settings.house_tenant

    async def whatsapp_of(tenant: str | None) -> WhatsAppAccount:
        try:
            return await whatsapp.account_of(tenant or house or "")
        except NotFound:
            return await whatsapp.account_of(house or "")

    async def twilio_of(tenant: str | None) -> TwilioAccount:
        if settings.twilio_api_url is None:
            msg = "without an address nobody has a way to send"
            raise NotFound(msg)
        return await accounts.twilio(tenant)

    return Phones(
        normalise=normaliser(mobile=True),
        whatsapp=WhatsAppCodes(graph, whatsapp_of),
        sms=TwilioSms(twilio, twilio_of),
        delivered=ReportedArrivals(store.inbox, arrivals, house),
    )


@frozen(kw_only=True)
class Outlets:
    """The ways to people that the settings name."""

    channels: Mapping[str, Channel]
    push: Mapping[str, PushService]
    link_to: Callable[[str], str]
    closing: tuple[Callable[[], Awaitable[None]], ...]
    checks: Mapping[str, Check]


def _outlets(
    settings: Settings, whatsapp: WhatsAppChannel, twilio: TwilioApi, accounts: Accounts, clock: Clock
) -> Outlets:
    def link_to(token: str) -> str:
        return f"{settings.public_url}/track/{token}"

    channels: dict[str, Channel] = {"whatsapp": whatsapp}
    push: dict[str, PushService] = {}
    closing: list[Callable[[], Awaitable[None]]] = []
    checks: dict[str, Check] = {}
    if settings.twilio_api_url:
        channels["sms"] = TwilioTexts(twilio, accounts.twilio, link_to, _twilio_calls(settings))
    if settings.smtp_url:
        letters = SmtpLetters(settings.smtp_url, accounts.mail, link_to, clock)
        channels["email"] = letters
        checks["smtp"] = _said(letters.ping, settings.smtp_url)
    if settings.expo_url:
        expo = ExpoPush(settings.expo_url, accounts.expo)
        push["expo"] = expo
        closing.append(expo.close)
        checks["expo"] = _said(expo.ping, settings.expo_url)
    if settings.fcm_url:
        fcm = FcmPush(settings.fcm_url, settings.fcm_token_url, accounts.fcm, clock)
        push["fcm"] = fcm
        closing.append(fcm.close)
        checks["fcm"] = _said(fcm.ping, settings.fcm_url)
    return Outlets(channels=channels, push=push, link_to=link_to, closing=tuple(closing), checks=checks)


def _twilio_calls(settings: Settings) -> str:
    return f"{settings.public_url}/webhooks/twilio"


def _language_model(settings: Settings) -> tuple[LanguageModel, Callable[[], Awaitable[None]]]:
    if settings.openai_base_url is None:
        return SpanishExtractor(), _nothing
    from adapters.llm.openai_model import OpenAIModel  # noqa: PLC0415 - importing openai takes half a second

    model = OpenAIModel(settings.openai_base_url, settings.openai_api_key, settings.openai_model)
    return model, model.close


async def _patience(waited: int) -> bool:
    """Wait for a busy series of vouchers: up to ten seconds in all, in growing steps."""
    if waited >= 12:  # noqa: PLR2004 - 0.1 + 0.2 + ... + 1 + 1 + 1
        return False
    await asyncio.sleep(min(0.1 * (waited + 1), 1.0))
    return True


def _certificates(store: Store, clock: Clock) -> Check:
    """Say which of the tenants' certificates expire soon; one that has expired, or is none, is a failure."""

    async def check() -> str:
        left: dict[str, timedelta] = {}
        broken: dict[str, str] = {}
        for tenant, _, values in await store.secrets.all(AFIP):
            try:
                left[tenant] = valid_until(AfipCredentials(**values)) - clock()
            except CuadrillaError:
                broken[tenant] = "cannot be read"
        over = {tenant: "has expired: ask for a new one" for tenant, rest in left.items() if rest <= timedelta()}
        soon = sorted(
            (rest.days, tenant) for tenant, rest in left.items() if timedelta() < rest < timedelta(CERTIFICATE_WARNING)
        )
        warning = "expires soon: " + ", ".join(f"{tenant} in {days} days" for days, tenant in soon)
        if lines := [f"the AFIP certificate of {tenant} {why}" for tenant, why in sorted({**broken, **over}.items())]:
            raise Unavailable("; ".join([*lines, warning] if soon else lines))
        return Warned(f"WARNING: {warning}") if soon else f"{len(left)} valid for {CERTIFICATE_WARNING} days and more"

    return check


def _said(ping: Callable[[], Awaitable[object]], line: str) -> Check:
    async def check() -> str:
        await ping()
        return line

    return check


def _broker_answers(url: str) -> Check:
    async def check() -> str:
        if urlsplit(url).scheme in {"redis", "rediss"}:
            from adapters.redis import RedisConnection  # noqa: PLC0415 - only where it is used

            connection = RedisConnection(url)
            try:
                await connection.ping()
            finally:
                await connection.close()
        else:
            await asyncio.to_thread(_connect_once, url)
        return "answers"

    return check


def _connect_once(url: str) -> None:
    from adapters.dramatiq import broker_for  # noqa: PLC0415 - only where it is used

    broker: Any = broker_for(url)
    try:
        broker.connection  # noqa: B018 - asking for it connects
    except Exception as failure:  # the driver's errors have no root of their own
        msg = f"the broker does not answer: {failure or type(failure).__name__}"
        raise Unavailable(msg) from failure
    finally:
        broker.close()


async def _nothing() -> None:
    return None


def _zone_named(name: str) -> tzinfo:
    return ZoneInfo(name)


@contextlib.asynccontextmanager
async def over_broker(url: str, react: Callable[[str, str], Awaitable[None]]) -> AsyncIterator[Publish]:
    """Take messages from the broker and let `react` have them, beside the block, which gets the way to send some."""
    from adapters.dramatiq import DramatiqQueue, broker_for, consuming  # noqa: PLC0415 - only where it is used

    queue = DramatiqQueue(url)
    try:
        async with consuming(broker_for(url), react):
            yield queue.publish
    finally:
        await queue.close()


def migrate(settings: Settings) -> list[str]:
    """Bring the database to the newest revision and return the revisions that it lacked; blocks. Raise `Unavailable`."""
    if settings.database_url.startswith("memory:"):
        return []
    lacking = pending(settings.database_url)
    if lacking:
        upgrade(settings.database_url)
    return lacking


def afip_descriptions() -> tuple[bytes, bytes]:
    """Return AFIP's WSAA and WSFEv1 descriptions, for the sandbox to serve."""
    folder = resources.files("adapters.afip") / "wsdl"
    return (folder / "wsaa.wsdl").read_bytes(), (folder / "wsfev1.wsdl").read_bytes()


async def register_whatsapp_templates(settings: Settings, account: WhatsAppAccount) -> None:
    """Register our message templates with a WhatsApp account; those it has already stay."""
    await register_templates(settings.whatsapp_api_url, account, public_url=settings.public_url)

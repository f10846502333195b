"""The tenant that development starts with, and its accounts at the sandbox."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Mapping
from datetime import date
from typing import Final

import httpx2
from attrs import evolve, field, frozen

from core.identity import LoginTaken, Origin, Tenant, User, UserNotFound, token_hash
from core.identity.model import KINDS
from core.invoicing import Issuer
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError
from entrypoints.settings import Settings
from entrypoints.wiring import AFIP, App, register_whatsapp_templates

TENANT: Final = "demo"
PHONE_NUMBER_ID: Final = "1000000001"
WABA_ID: Final = "2000000001"
BUSINESS_PHONE: Final = "+541150000000"
CUIT: Final = "30712345671"
SMS_NUMBER: Final = "+541150009999"
SENDER: Final = "avisos@climatizacion-palermo.example"
OWNER: Final = "user_irene"
OWNERS_EMAIL: Final = "irene@climatizacion-palermo.example"
PEOPLE: Final[Mapping[str, tuple[str, str, str]]] = {
    OWNER: ("Irene Sosa", "owner", "+5491150000000"),
    "user_marta": ("Marta Díaz", "dispatcher", "+5491150000001"),
    "user_carlos": ("Carlos Gómez", "technician", "+5491150000002"),
    "user_lucia": ("Lucía Paz", "technician", "+5491150000003"),
}


@frozen
class LogIn:
    """A person of the demo tenant: a code goes to the phone; the bearer token counts in development only."""

    user_id: str
    name: str
    role: str
    phone: str
    token: str = field(repr=False)
    email: str | None = None
    password: str | None = field(default=None, repr=False)


def log_ins(settings: Settings) -> tuple[LogIn, ...]:
    """Return how the demo people log in, the same at each start, derived from the secret key of this installation."""
    return tuple(
        LogIn(
            user_id,
            name,
            role,
            phone,
            "demo-" + _derived(settings, f"bearer:{user_id}")[:32],
            *((OWNERS_EMAIL, _derived(settings, f"password:{user_id}")[:20]) if user_id == OWNER else ()),
        )
        for user_id, (name, role, phone) in PEOPLE.items()
    )


async def seed(app: App, *, api: str | None = None) -> None:
    """Store the demo tenant, and open its accounts at the sandbox; a second time changes nothing.

    `api` is where this system serves HTTP, for the sandbox's desk to act on.
    """
    settings = app.settings
    known = {each.user_id: each for each in log_ins(settings)}
    people = [
        await _as_by_now(app, user)
        for user in (
            User(
                id=each.user_id,
                tenant=TENANT,
                name=each.name,
                role=each.role,
                phone=each.phone,
                token_hash=token_hash(each.token),
            )
            for each in known.values()
        )
    ]
    await app.store.directory.enrol(Tenant(id=TENANT, name="Climatización Palermo", phone=BUSINESS_PHONE), people)
    for user in people:
        await _give_password(app, user, known[user.id])
    await app.store.issuers.put(
        Issuer(
            tenant=TENANT,
            cuit=CUIT,
            name="Climatización Palermo S.R.L.",
            address="Av. Santa Fe 3200, Ciudad Autónoma de Buenos Aires",
            vat_condition="responsable_inscripto",
            point_of_sale=1,
            gross_income="901-234567-1",
            started_on=date(2019, 3, 1),
        )
    )
    await _open_whatsapp(app)
    await _open_twilio(app)
    await _open_push(app)
    await _open_mail(app)
    await _open_afip(app)
    if api is not None:
        introduction = {
            "url": api,
            "dispatcher": known["user_marta"].token,
            "technician": known["user_carlos"].token,
            "technician_id": "user_carlos",
        }
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            desk = await client.put(f"{settings.whatsapp_api_url}/desk/control/api", json=introduction)
            desk.raise_for_status()


async def _as_by_now(app: App, user: User) -> User:
    """Return somebody as they were changed since the first start, with the token of today's secret key."""
    try:
        known = await app.store.directory.user(TENANT, user.id)
    except UserNotFound:
        return user
    return evolve(known, token_hash=user.token_hash)


async def _keep(app: App, kind: str, values: Mapping[str, str], *, label: str) -> None:
    with contextlib.suppress(CuadrillaError):  # one that cannot be read any more is replaced
        if await app.store.secrets.get(TENANT, KINDS[kind].purpose(values)) == values:
            return
    actor = Actor(tenant=TENANT, id="seed", role="service", correlation="seed")
    await app.credentials.set(actor=actor, kind=kind, values=values, label=label, origin=Origin("seed"))


async def _give_password(app: App, user: User, log_in: LogIn) -> None:
    if (
        log_in.email is None
        or log_in.password is None
        or await app.store.accounts.get(user.tenant, user.id) is not None
    ):
        return
    with contextlib.suppress(LoginTaken):  # another process starts at the same time
        await app.passwords.give_email(user=user, email=log_in.email, password=log_in.password, origin=Origin("seed"))


async def _open_whatsapp(app: App) -> None:
    settings = app.settings
    account = {
        "waba_id": WABA_ID,
        "token": _derived(settings, "whatsapp:token"),
        "app_secret": app_secret(settings),
        "verify_token": _derived(settings, "whatsapp:verify"),
    }
    await _keep(app, "whatsapp", {"phone_number_id": PHONE_NUMBER_ID, **account}, label=BUSINESS_PHONE)
    app.whatsapp.forget()
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.put(
            f"{settings.whatsapp_api_url}/whatsapp/control/accounts/{PHONE_NUMBER_ID}",
            json={
                **account,
                "display_phone_number": BUSINESS_PHONE,
                "webhook_url": f"{settings.public_url}/webhooks/whatsapp",
            },
        )
        answer.raise_for_status()
        for name, _, phone in PEOPLE.values():
            contact = f"{settings.whatsapp_api_url}/whatsapp/control/contacts/{PHONE_NUMBER_ID}/{phone[1:]}"
            (await client.put(contact, json={"name": name})).raise_for_status()
    await register_whatsapp_templates(settings, await app.whatsapp.account_of(TENANT))


async def _open_twilio(app: App) -> None:
    settings = app.settings
    sid, token = "AC" + _derived(settings, "twilio:sid")[:32], _derived(settings, "twilio:token")[:32]
    await _keep(app, "twilio", {"account_sid": sid, "auth_token": token, "sender": SMS_NUMBER}, label=SMS_NUMBER)
    # Twilio may be real where WhatsApp is not; then this account is nobody's, and no code goes by SMS.
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.put(
            f"{settings.whatsapp_api_url}/twilio/control/accounts/{sid}",
            json={"auth_token": token, "sender": SMS_NUMBER},
        )
        answer.raise_for_status()


async def _open_push(app: App) -> None:
    settings = app.settings
    if settings.fcm_url is None or not settings.fcm_url.startswith(settings.whatsapp_api_url):
        return
    with contextlib.suppress(CuadrillaError):  # one that cannot be read any more is replaced
        if await app.store.secrets.get(TENANT, "fcm") is not None:
            return
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.post(
            f"{settings.fcm_url}/push/control/service-accounts", json={"project_id": "cuadrilla-sandbox"}
        )
        answer.raise_for_status()
    await _keep(app, "fcm", {"service_account": answer.text}, label="cuadrilla-sandbox")


async def _open_mail(app: App) -> None:
    settings, password = app.settings, _derived(app.settings, "smtp:password")[:32]
    account = {"username": "demo", "password": password, "sender": f"Climatización Palermo <{SENDER}>"}
    await _keep(app, "smtp", account, label=SENDER)
    # The mail server may be real where WhatsApp is not; then this account is nobody's.
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.put(
            f"{settings.whatsapp_api_url}/mail/control/accounts/demo", json={"password": password, "address": SENDER}
        )
        answer.raise_for_status()


async def _open_afip(app: App) -> None:
    with contextlib.suppress(CuadrillaError):  # one that cannot be read any more is replaced
        if await app.store.secrets.get(TENANT, AFIP) is not None:
            return
    sandbox = app.settings.afip_wsfe_url.rsplit("/wsfev1/", 1)[0]
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.post(
            f"{sandbox}/afip/control/certificates",
            json={
                "cuit": CUIT,
                "alias": "cuadrilla",
                "points": [1, 2],
                "vatCondition": "responsable_inscripto",
            },
        )
        answer.raise_for_status()
        issued = answer.json()
    values = {"certificate": issued["certificate"], "key": issued["key"]}
    await _keep(app, "afip", values, label=f"CUIT {CUIT}")


def app_secret(settings: Settings) -> str:
    """Return the secret with which the demo tenant's webhooks are signed."""
    return _derived(settings, "whatsapp:secret")


def _derived(settings: Settings, name: str) -> str:
    return hmac.new(settings.secret_key, f"demo:{name}".encode(), hashlib.sha256).hexdigest()

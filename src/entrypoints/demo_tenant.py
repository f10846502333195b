"""The tenant that development starts with, and its accounts at the sandbox."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import date
from typing import Final

import httpx2
from attrs import frozen

from core.identity import Tenant, User, token_hash
from core.invoicing import Issuer
from entrypoints.settings import Settings
from entrypoints.wiring import AFIP, WHATSAPP, App, register_whatsapp_templates

TENANT: Final = "demo"
PHONE_NUMBER_ID: Final = "1000000001"
WABA_ID: Final = "2000000001"
BUSINESS_PHONE: Final = "+541150000000"
CUIT: Final = "30712345671"
PEOPLE: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "user_marta": ("Marta Díaz", "dispatcher", "+5491150000001"),
    "user_carlos": ("Carlos Gómez", "technician", "+5491150000002"),
    "user_lucia": ("Lucía Paz", "technician", "+5491150000003"),
}


@frozen
class LogIn:
    """A person of the demo tenant and the bearer token that they show."""

    user_id: str
    name: str
    role: str
    token: str


def log_ins(settings: Settings) -> tuple[LogIn, ...]:
    """Return the demo people's tokens, the same at each start, derived from the secret key of this installation."""
    return tuple(
        LogIn(user_id, name, role, "demo-" + _derived(settings, f"bearer:{user_id}")[:32])
        for user_id, (name, role, _) in PEOPLE.items()
    )


async def seed(app: App, *, api: str | None = None) -> None:
    """Store the demo tenant, and open its accounts at the sandbox; a second time changes nothing.

    `api` is where this system serves HTTP, for the sandbox's desk to act on.
    """
    settings = app.settings
    tokens = {each.user_id: each.token for each in log_ins(settings)}
    await app.store.directory.enrol(
        Tenant(id=TENANT, name="Climatización Palermo", phone=BUSINESS_PHONE),
        [
            User(id=user_id, tenant=TENANT, name=name, role=role, phone=phone, token_hash=token_hash(tokens[user_id]))
            for user_id, (name, role, phone) in PEOPLE.items()
        ],
    )
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
    await _open_afip(app)
    if api is not None:
        introduction = {
            "url": api,
            "dispatcher": tokens["user_marta"],
            "technician": tokens["user_carlos"],
            "technician_id": "user_carlos",
        }
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            desk = await client.put(f"{settings.whatsapp_api_url}/desk/control/api", json=introduction)
            desk.raise_for_status()


async def _open_whatsapp(app: App) -> None:
    settings = app.settings
    account = {
        "waba_id": WABA_ID,
        "token": _derived(settings, "whatsapp:token"),
        "app_secret": app_secret(settings),
        "verify_token": _derived(settings, "whatsapp:verify"),
    }
    await app.store.secrets.put(
        TENANT, WHATSAPP + PHONE_NUMBER_ID, {"phone_number_id": PHONE_NUMBER_ID, **account}, label=BUSINESS_PHONE
    )
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
            if phone:
                contact = f"{settings.whatsapp_api_url}/whatsapp/control/contacts/{PHONE_NUMBER_ID}/{phone[1:]}"
                (await client.put(contact, json={"name": name})).raise_for_status()
    await register_whatsapp_templates(settings, await app.whatsapp.account_of(TENANT))


async def _open_afip(app: App) -> None:
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
    await app.store.secrets.put(
        TENANT, AFIP, {"certificate": issued["certificate"], "key": issued["key"]}, label=f"CUIT {CUIT}"
    )


def app_secret(settings: Settings) -> str:
    """Return the secret with which the demo tenant's webhooks are signed."""
    return _derived(settings, "whatsapp:secret")


def _derived(settings: Settings, name: str) -> str:
    return hmac.new(settings.secret_key, f"demo:{name}".encode(), hashlib.sha256).hexdigest()

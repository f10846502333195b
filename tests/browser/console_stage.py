"""The console on a real server, with a business that has been at work for a while."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from attrs import define, frozen

from core.identity import Origin, Tenant, User
from core.invoicing import Authorisation, Corrected, Invoice, Observation, Receiver, Tax, Terms
from core.jobs import Place
from core.kernel.actor import Actor
from core.kernel.money import Line
from core.notifications import Delivery, Recipient
from entrypoints.http.app import http_app
from entrypoints.serving import serving
from tests.contracts.samples import acting_for, an_issuer
from tests.entrypoints.console.front import PASSWORD
from tests.entrypoints.http.web import Web, web

EMAIL: Final = "marta@climatizacion.example"
PHONE: Final = "+5491150000009"
TENANT: Final = "palermo"
_ANDROID: Final = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36"
)
_IPHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1 (KHTML, like Gecko) Version/19.1 Safari/604.1"
_WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
_PEOPLE: Final = (
    ("user_marta", "Marta Díaz", "owner", None, True),
    ("user_sofia", "Sofía Ledesma", "dispatcher", PHONE, True),
    ("user_carlos", "Carlos Gómez", "technician", "+5491150000012", True),
    ("user_lucia", "Lucía Paz", "technician", "+5491150000013", True),
    ("user_ruben", "Rubén Achával", "technician", "+5491150000014", False),
)
_JOBS: Final = (
    ("Aire que no enfría", "Av. Santa Fe 3200, CABA", "user_carlos", "en_camino"),
    ("Instalar split 3500 W", "Thames 1450, 2.º A, CABA", "user_lucia", "scheduled"),
    ("Pérdida de agua en el equipo del living", "Gorriti 4800, CABA", None, "pending"),
    ("Limpieza de filtros", "", None, "pending"),
    ("Cambio de plaqueta", "Av. Cabildo 1890, CABA", "user_carlos", "completed"),
    ("Presupuesto de calefacción", "Niceto Vega 5100, CABA", None, "cancelled"),
)


@frozen
class Office:
    """Where the console is, and the application behind it."""

    url: str
    web: Web


@define
class _Arrivals:
    """Lets people log in from devices of their own."""

    web: Web

    async def by_password(self, agent: str, ip: str) -> None:
        origin = Origin("corr_stage", ip=ip, agent=agent)
        tokens = await self.web.app.passwords.log_in(email=EMAIL, password=PASSWORD, origin=origin)
        await self.web.app.sessions.keep_in_browser(tokens=tokens, origin=origin)


@contextlib.asynccontextmanager
async def office(folder: Path, *, at_work: bool = True) -> AsyncIterator[Office]:
    """Serve a business; `at_work`, with jobs, devices, tokens and a log."""
    async with web(folder) as served:
        directory = served.app.store.directory
        people = [
            User(id=id_, tenant=TENANT, name=name, role=role, phone=phone, active=active)
            for id_, name, role, phone, active in (_PEOPLE if at_work else _PEOPLE[:2])
        ]
        await directory.enrol(Tenant(id=TENANT, name="Climatización Palermo"), people)
        await served.app.passwords.give_email(
            user=people[0], email=EMAIL, password=PASSWORD, origin=Origin("corr_stage")
        )
        if at_work:
            await _work(served)
        async with serving(http_app(served.app)) as url:
            yield Office(url, served)


async def _work(served: Web) -> None:
    app, clock = served.app, served.clock
    owner = Actor(tenant=TENANT, id="user_marta", role="owner", correlation="corr_stage")
    arrivals = _Arrivals(served)
    for title, address, technician, status in reversed(_JOBS):
        customer = await app.customers.register(actor=owner, name="Ana Ruiz")
        place = Place(address=address or None)
        job = await app.jobs.open(actor=owner, customer_id=customer.id, title=title, place=place)
        given: dict[str, Any] = {"actor": owner, "job_id": job.id}
        if technician:
            starts = clock.at.replace(hour=18, minute=0)
            ends = starts.replace(hour=20)
            await app.jobs.schedule(
                **given,
                technician_id=technician,
                starts_at=starts,
                ends_at=ends,
                place=Place(address=address, lat=-34.58, lng=-58.42),
            )
        if status in ("en_camino", "completed"):
            await app.jobs.depart(**given)
        if status == "completed":
            await app.jobs.arrive(**given)
            await app.jobs.complete(
                **given, lines=(Line(description="Plaqueta", quantity=Decimal(1), unit_price=Decimal(90_000)),)
            )
        if status == "cancelled":
            await app.jobs.cancel(**given, reason="El cliente eligió otra fecha")
        clock.forward(minutes=3)
    await _vouchers(served)
    await _notices(served, owner)
    await arrivals.by_password(_IPHONE, "181.46.20.7")
    clock.forward(hours=2)
    await arrivals.by_password(_WINDOWS, "190.210.8.44")
    with contextlib.suppress(Exception):
        await app.passwords.log_in(
            email=EMAIL, password="no es esta", origin=Origin("c", ip="45.166.1.9", agent=_ANDROID)
        )
    _, spare = await app.machines.make(actor=owner, label="Exportación vieja", scopes=frozenset({"jobs.read"}))
    await app.machines.revoke(actor=owner, token_id=spare.id)
    await app.machines.make(
        actor=owner, label="Planilla de turnos", scopes=frozenset({"jobs.read", "customers.read", "users.read"})
    )
    clock.forward(minutes=11)


async def _notices(served: Web, owner: Actor) -> None:
    """Keep a notification in every state, and an app."""
    app, clock = served.app, served.clock
    now = clock.at
    await app.choices.register(actor=owner, provider="expo", token="ExponentPushToken[marta]", name="Motorola Moto G54")
    carlos = Recipient(id="user_carlos", kind="technician", name="Carlos Gómez", address="+5491150000012")
    ana = Recipient(id="cust_ana", kind="customer", name="Ana Ruiz", address="+5491155550123", email="ana@example.com")
    assigned = (
        "Aire acondicionado",
        "sáb 21 nov",
        "de 9:00 a 11:00",
        "Ana Ruiz",
        "+5491155550123",
        "Av. Santa Fe 3200, CABA",
    )
    wanted: tuple[tuple[str, str, Recipient, tuple[str, ...], str], ...] = (
        ("waits", "job_assigned_tech", carlos, assigned, "whatsapp"),
        ("gathered", "job_cancelled", carlos, ("Carlos", "Lavarropas", "El cliente eligió otra fecha"), "whatsapp"),
        (
            "digest",
            "digest",
            carlos,
            ("Carlos", "2", "(1) Tenés un trabajo nuevo. (2) La visita Lavarropas quedó cancelada"),
            "whatsapp",
        ),
        ("refused", "job_scheduled_customer", ana, ("Ana", "sáb 21 nov", "de 9:00 a 11:00", "Carlos"), "whatsapp"),
        ("sms", "job_scheduled_customer", ana, ("Ana", "sáb 21 nov", "de 9:00 a 11:00", "Carlos"), "sms"),
        ("again", "technician_arrived", ana, ("Ana", "Carlos"), "whatsapp"),
        ("mail", "invoice_ready", ana, ("Ana", "00001-00001041", "$ 78.452,40", "76460000001041"), "email"),
        ("odd", "job_completed", ana, ("Ana", "Cambio de plaqueta", "$ 90.000,00"), "push"),
    )
    kept: list[Delivery] = []
    for number, (name, template, recipient, parameters, channel) in enumerate(wanted):
        made = Delivery.queued(
            id_=f"dlv_{name}",
            tenant=TENANT,
            key=name,
            template=template,
            recipient=recipient,
            parameters=parameters,
            link=None,
            attachment=None,
            job_id=None,
            at=now - timedelta(minutes=10 * (len(wanted) - number)),
            channel=channel,
            left=("sms",) if name == "refused" else (),
            until=now + timedelta(hours=9) if name == "waits" else None,
        )
        trying = made.attempt(at=now)
        kept.append(
            {
                "waits": made,
                "gathered": made.gather("dlv_digest", at=now),
                "digest": trying.report("read", provider_id="1", error_code=None, error_text=None, at=now),
                "refused": trying.refused(error_code="131026", error_text="undeliverable", at=now),
                "sms": trying.report("delivered", provider_id="2", error_code=None, error_text=None, at=now),
                "again": trying.put_back(error="WhatsApp asks to wait", at=now, wait=timedelta(minutes=2)),
                "mail": trying.sent(provider_id="3", at=now),
                "odd": trying.refused(error_code="MessageTooBig", error_text="The message was too big", at=now),
            }[name]
        )
    async with app.store.begin(acting_for(TENANT)) as tx:
        for each in kept:
            await tx.deliveries.save(each)


async def _vouchers(served: Web) -> None:
    """Keep a voucher in every state: `inv_lost` waits, `inv_refused` AFIP refused, `inv_issued` was credited by `inv_note`."""
    now = served.clock.at
    today = now.date()
    receiver = Receiver(
        customer_id="cust_1",
        name="Distribuidora San Martín S.A.",
        vat_condition="responsable_inscripto",
        document_type="CUIT",
        document_number="30500010912",
        address="Av. Corrientes 1234, CABA",
    )
    person = Receiver(customer_id="cust_2", name="Ana Ruiz")
    repair = Line(
        description="Reparación de split 3500 W, con cambio de plaqueta",
        quantity=Decimal(1),
        unit_price=Decimal("20314.05"),
    )
    parts = (
        repair,
        Line(
            description="Gas R410A",
            quantity=Decimal("1.5"),
            unit_price=Decimal(18_000),
            vat_rate=Decimal("10.5"),
            discount=Decimal(10),
        ),
        Line(
            description="Habilitación municipal",
            quantity=Decimal(1),
            unit_price=Decimal(3_500),
            vat_rate=Decimal(0),
            treatment="not_taxed",
        ),
    )
    perception = Tax.at_rate(id_=7, base=Decimal("44614.05"), rate=Decimal(3))
    kept: list[Invoice] = []

    def voucher(name: str, minutes: int, to: Receiver, lines: tuple[Line, ...] = (repair,), **more: Any) -> Invoice:
        return Invoice.drafted(
            id_=f"inv_{name}",
            job_id=more.pop("job_id", f"job_{name}"),
            issuer=an_issuer(tenant=TENANT, point_of_sale=more.pop("point_of_sale", 1)),
            receiver=to,
            lines=lines,
            currency="ARS",
            serviced_on=today,
            at=now - timedelta(minutes=minutes),
            **more,
        )

    def issued(draft: Invoice, number: int) -> Invoice:
        cae = Authorisation(cae=f"7646{number:010}", expires_on=today + timedelta(days=10))
        return draft.submit(number=number, issued_on=today, at=now).issue(cae, at=now)

    first = issued(voucher("issued", 90, receiver, parts, terms=Terms(taxes=(perception,))), 1041)
    note = voucher(
        "note",
        60,
        receiver,
        job_id="job_issued",
        kind="credit_note",
        corrects=(_named(first),),
        reason="Se cobró de más la reparación",
    )
    kept += [first, issued(note, 12), issued(voucher("plain", 200, person), 311)]
    kept.append(voucher("lost", 5, person).submit(number=312, issued_on=today, at=now).lose_answer(at=now))
    kept.append(voucher("sent", 2, receiver).submit(number=1042, issued_on=today, at=now))
    said = Observation(
        10016,
        "El numero o fecha del comprobante no se corresponde con el proximo a autorizar. Consultar metodo FECompUltimoAutorizado.",
    )
    kept.append(
        voucher("refused", 40, person, point_of_sale=2).submit(number=1, issued_on=today, at=now).refuse([said], at=now)
    )
    kept.append(voucher("draft", 20, person, point_of_sale=2))
    async with served.app.store.begin(acting_for(TENANT)) as tx:
        for each in kept:
            await tx.invoices.save(each)


def _named(original: Invoice) -> Corrected:
    assert original.number is not None
    assert original.issued_on is not None
    return Corrected(
        invoice_id=original.id,
        voucher_type=original.voucher_type,
        point_of_sale=original.issuer.point_of_sale,
        number=original.number,
        cuit=original.issuer.cuit,
        issued_on=original.issued_on,
    )

"""The vouchers in the console over the real application: what waits, what was refused, what is issued, and taking one back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from attrs import evolve

from adapters.memory import MemoryTaxAuthority
from core.invoicing import Authorisation, Invoice, Observation, Receiver, Tax, Terms
from core.kernel.actor import Actor
from core.kernel.errors import Unavailable
from core.kernel.money import Line
from tests.contracts.samples import NOW, acting_for, an_issuer
from tests.entrypoints.console.front import CARLOS, MARTA, Window, window
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

DAY = date(2026, 11, 20)
WORDS = "La fecha <b>no</b> se corresponde"
GAS = (Line(description="Carga de gas", quantity=Decimal(1), unit_price=Decimal("20314.05")),)


class Weather:
    """What happens to calls to AFIP; `broken`, they do not arrive."""

    broken = False

    async def __call__(self, step: str) -> None:
        if self.broken and step.startswith("tax_authority"):
            msg = "AFIP cannot be reached"
            raise Unavailable(msg)


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
async def web(tmp_path: Path, weather: Weather) -> AsyncIterator[Web]:
    async with serving_web(tmp_path) as served:
        afip = MemoryTaxAuthority(weather, refuses=frozenset({"Rechazame"}))
        async with door(served, invoicing=evolve(served.app.invoicing, authority=afip)) as quick:
            yield quick


async def marta(web: Web, phone: str = MARTA) -> Window:
    at = window(web)
    await at.log_in_by_code(web, phone)
    return at


async def kept(web: Web, n: int, then: Callable[[Invoice], Invoice] | None = None, **more: object) -> Invoice:
    """Keep a voucher of a job of its own, made `n` minutes later."""
    wanted = {"lines": GAS, "tenant": "demo", "name": f"Cliente {n}", **more}
    draft = Invoice.drafted(
        id_=f"inv_{n}",
        job_id=f"job_{n}",
        issuer=an_issuer(tenant=str(wanted.pop("tenant")), point_of_sale=n + 1),
        receiver=Receiver(customer_id="cust_1", name=str(wanted.pop("name"))),
        currency="ARS",
        serviced_on=DAY,
        at=NOW + timedelta(minutes=n),
        **wanted,  # type: ignore[arg-type] # a voucher's own fields
    )
    voucher = draft if then is None else then(draft.submit(number=42, issued_on=DAY, at=NOW))
    async with web.app.store.begin(acting_for(voucher.tenant)) as tx:
        return await tx.invoices.save(voucher)


def issued(voucher: Invoice) -> Invoice:
    return voucher.issue(Authorisation(cae="70000000000042", expires_on=date(2026, 11, 30)), at=NOW)


def lost(voucher: Invoice) -> Invoice:
    return voucher.lose_answer(at=NOW)


def refused(voucher: Invoice) -> Invoice:
    return voucher.refuse([Observation(10016, WORDS)], at=NOW)


async def issued_by_afip(web: Web, title: str = "Carga de gas") -> Invoice:
    """Charge a job as people do."""
    actor = Actor(tenant="demo", id="marta", role="dispatcher", correlation="corr_1")
    await web.app.store.issuers.put(an_issuer(tenant="demo"))
    job = await web.scheduled(await web.a_job(title="Aire que no enfría"))
    for to in ("en_camino", "working"):
        assert (await web.move(job, to=to)).status_code == 200
    lines = (evolve(GAS[0], description=title),)
    await web.app.jobs.complete(actor=actor, job_id=job["id"], lines=lines)
    return await web.app.invoicing.invoice(actor=actor, job_id=job["id"])


async def notes(web: Web, invoice: Invoice) -> list[Invoice]:
    async with web.app.store.begin(acting_for("demo")) as tx:
        return list(await tx.invoices.notes_of("demo", invoice.id))


async def test_a_business_without_vouchers_is_told_how_the_first_one_comes(web: Web) -> None:
    at = await marta(web)
    await at.open("/app/invoices")
    assert at.page.status_code == 200
    assert "Todavía no hay facturas" in at.page.text
    assert "<form" not in at.page.text.partition("<main")[2]
    await at.open("/app/invoices?state=waiting")
    assert "Nada espera a AFIP" in at.page.text
    assert re.search(r'href="/app/invoices" aria-current="page"', at.page.text)


async def test_what_waits_for_afip_is_on_top_and_said_to_need_nobody(web: Web) -> None:
    await kept(web, 1, lost)
    await kept(web, 2, lambda sent: sent)
    await kept(web, 3, issued)
    await kept(web, 4)
    at = await marta(web)
    await at.open("/app/invoices")
    places = re.findall(r'href="/app/invoices/(inv_\d)"', at.page.text)
    assert places == ["inv_1", "inv_2", "inv_4", "inv_3"]
    assert at.page.text.index("No tenés que hacer nada") < at.page.text.index("inv_1")
    for told in ("Sin respuesta", "Enviada", "Emitida", "Borrador", "Factura B", "00004-00000042", "Cliente 3"):
        assert told in at.page.text
    assert "$ 24.580,00" in at.page.text
    assert "CAE 70000000000042" in at.page.text
    assert "Vence lun 30 nov" in at.page.text


@pytest.mark.parametrize(
    ("state", "shown"),
    [("waiting", ["inv_1"]), ("cae_failed", ["inv_2"]), ("issued", ["inv_3"]), ("draft", ["inv_4"]), ("no_such", None)],
)
async def test_the_list_is_filtered_by_state(web: Web, state: str, shown: list[str] | None) -> None:
    for n, then in enumerate((lost, refused, issued, None), 1):
        await kept(web, n, then)
    at = await marta(web)
    await at.open(f"/app/invoices?state={state}")
    found = re.findall(r'href="/app/invoices/(inv_\d)"', at.page.text)
    assert found == (shown or ["inv_1", "inv_4", "inv_3", "inv_2"])


async def test_older_vouchers_are_on_further_pages_and_none_is_missing(web: Web) -> None:
    await kept(web, 99, lost)
    for n in range(35):
        await kept(web, n, issued)
    at = await marta(web)
    await at.open("/app/invoices?state=issued")
    first = re.findall(r'href="/app/invoices/(inv_\d+)"', at.page.text)
    older = re.search(r'href="(\?[^"]+)" data-older', at.page.text)
    assert older is not None
    await at.open("/app/invoices" + unescape(older[1]))
    second = re.findall(r'href="/app/invoices/(inv_\d+)"', at.page.text)
    assert [*first, *second] == [f"inv_{n}" for n in reversed(range(35))]
    assert "data-older" not in at.page.text


async def test_a_refused_voucher_shows_afips_code_and_words_and_what_to_do_all_escaped(web: Web) -> None:
    await kept(web, 1, refused, name="<script>alert(1)</script>")
    at = await marta(web)
    for path in ("/app/invoices", "/app/invoices/inv_1"):
        await at.open(path)
        assert "<code>10016</code>" in at.page.text
        assert "La fecha &lt;b&gt;no&lt;/b&gt; se corresponde" in at.page.text
        assert "El número no es el siguiente de la serie" in at.page.text
        assert "<script>alert" not in at.page.text
        assert "&lt;script&gt;alert(1)" in at.page.text
    assert "sin número" in at.page.text


async def test_a_vouchers_page_has_its_lines_and_every_part_of_its_total(web: Web) -> None:
    lines = (
        *GAS,
        Line(description="Filtro", quantity=Decimal("1.5"), unit_price=Decimal(1000), vat_rate=Decimal("10.5")),
        Line(
            description="Curso", quantity=Decimal(1), unit_price=Decimal(300), vat_rate=Decimal(0), treatment="exempt"
        ),
        Line(
            description="Multa",
            quantity=Decimal(1),
            unit_price=Decimal(200),
            vat_rate=Decimal(0),
            treatment="not_taxed",
        ),
    )
    tax = Tax.at_rate(id_=7, base=Decimal(1000), rate=Decimal(3))
    await kept(web, 1, issued, lines=lines, terms=Terms(taxes=(tax,)))
    at = await marta(web)
    await at.open("/app/invoices/inv_1")
    sums = dict(re.findall(r"<div(?: class=\"whole\")?><dt>([^<]+)</dt><dd>(\$ [\d.,]+)</dd></div>", at.page.text))
    assert sums == {
        "Neto gravado": "$ 21.814,05",
        "IVA 10,5 %": "$ 157,50",
        "IVA 21 %": "$ 4.265,95",
        "No gravado": "$ 200,00",
        "Exento": "$ 300,00",
        "Otros tributos": "$ 30,00",
        "Total": "$ 26.767,50",
    }
    assert re.search(r"class=\"part\"><dt lang=\"es\">Percepción de IIBB</dt><dd>\$ 30,00<", at.page.text)
    assert "1,5 \N{MULTIPLICATION SIGN} $ 1.000,00" in at.page.text
    await at.open("/app/invoices/inv_1", accept_language="en")
    assert "Taxed net" in at.page.text
    assert "Download PDF" in at.page.text


async def test_an_issued_voucher_is_downloaded_as_pdf_and_another_leads_to_its_page(web: Web) -> None:
    await kept(web, 1, issued)
    await kept(web, 2, lost)
    at = await marta(web)
    await at.open("/app/invoices/inv_1")
    assert 'href="/app/invoices/inv_1/pdf"' in at.page.text
    await at.open("/app/invoices/inv_1/pdf")
    assert at.page.content.startswith(b"%PDF")
    assert at.page.headers["content-type"] == "application/pdf"
    disposition = at.page.headers["content-disposition"]
    assert disposition == 'attachment; filename="30712345671_006_00002_00000042.pdf"'
    assert at.page.headers["cache-control"] == "no-store"
    original = at.page.content
    assert 'href="/app/invoices/inv_1/pdf?copy=duplicate"' in (await at.open("/app/invoices/inv_1")).text
    await at.open("/app/invoices/inv_1/pdf?copy=duplicate")
    assert at.page.content.startswith(b"%PDF")
    assert at.page.content != original
    await at.open("/app/invoices/inv_1/pdf?copy=triplicado")
    assert at.page.status_code == 400
    await at.open("/app/invoices/inv_2/pdf")
    assert at.page.headers["location"] == "/app/invoices/inv_2"


async def test_a_credit_note_is_made_once_although_the_form_is_sent_twice(web: Web) -> None:
    invoice = await issued_by_afip(web)
    at = await marta(web)
    await at.open(f"/app/invoices/{invoice.id}")
    assert "Aire que no enfría" in at.page.text
    await at.open(f"/app/invoices/{invoice.id}/credit")
    assert "$ 24.580,00" in at.page.text
    form = at.form(f"/app/invoices/{invoice.id}/credit")
    body = {**dict(form.values), "reason": "Se facturó dos veces"}
    await asyncio.gather(*(at.client.post(form.action, data=body) for _ in range(3)))
    again = await at.client.post(form.action, data={**body, "reason": "Otra vez"})
    (note,) = await notes(web, invoice)
    assert (note.state, note.reason, note.totals.total) == ("issued", "Se facturó dos veces", Decimal("24580.00"))
    assert again.headers["location"] == f"/app/invoices/{note.id}?said=credited"
    await at.open(again.headers["location"])
    assert "Listo: AFIP la autorizó." in at.page.text
    assert "Nota de crédito B" in at.page.text
    assert f'href="/app/invoices/{invoice.id}"' in at.page.text
    await at.open(f"/app/invoices/{invoice.id}")
    assert f'href="/app/invoices/{note.id}"' in at.page.text
    assert "Hacer nota de crédito" not in at.page.text
    await at.open(f"/app/invoices/{invoice.id}/credit")
    assert at.page.headers["location"] == f"/app/invoices/{invoice.id}"


async def test_a_credit_note_needs_a_reason_and_a_form_that_saw_what_is_left(web: Web) -> None:
    invoice = await issued_by_afip(web)
    at = await marta(web)
    path = f"/app/invoices/{invoice.id}/credit"
    await at.open(path)
    await at.send(path, reason="  ")
    assert at.page.status_code == 422
    assert 'id="reason-problem"' in at.page.text
    await at.send(path, reason="x", seen="")
    assert at.page.status_code == 400
    await at.open(path)
    await at.send(path, reason="x", seen="0:1.00")
    assert at.page.status_code == 409
    await at.open(path)
    await at.send(path, reason="x", csrf="forged")
    assert at.page.status_code == 403
    assert await notes(web, invoice) == []


async def test_a_credit_note_that_could_not_be_asked_for_is_a_draft_that_can_be_asked_for_later(
    web: Web, weather: Weather
) -> None:
    invoice = await issued_by_afip(web)
    at = await marta(web)
    await at.open(f"/app/invoices/{invoice.id}/credit")
    weather.broken = True
    await at.send(f"/app/invoices/{invoice.id}/credit", reason="x")
    (note,) = await notes(web, invoice)
    assert at.page.headers["location"] == f"/app/invoices/{note.id}?said=silent"
    await at.follow()
    assert "Nada se perdió" in at.page.text
    assert note.state == "draft"
    weather.broken = False
    await at.send(f"/app/invoices/{note.id}/issue")
    await at.follow()
    assert "Listo: AFIP la autorizó." in at.page.text
    assert [each.state for each in await notes(web, invoice)] == ["issued"]


async def test_afip_is_asked_at_once_about_a_voucher_without_an_answer(web: Web, weather: Weather) -> None:
    await kept(web, 1, lost)
    web.clock.forward(minutes=30)
    at = await marta(web)
    await at.open("/app/invoices/inv_1")
    assert "00002-00000042 queda reservado" in at.page.text
    weather.broken = True
    await at.send("/app/invoices/inv_1/settle")
    await at.follow()
    assert "AFIP no respondió" in at.page.text
    assert "Sin respuesta" in at.page.text
    weather.broken = False
    await at.send("/app/invoices/inv_1/settle")
    assert at.page.status_code == 303
    actor = Actor(tenant="demo", id="marta", role="dispatcher", correlation="corr_1")
    assert (await web.app.invoicing.show(actor=actor, invoice_id="inv_1")).state != "unknown"


async def test_a_technician_has_no_vouchers(web: Web) -> None:
    await kept(web, 1, issued)
    at = await marta(web, CARLOS)
    await at.open("/app/jobs")
    assert 'href="/app/invoices"' not in at.page.text
    for path in ("", "/inv_1", "/inv_1/pdf", "/inv_1/credit"):
        await at.open(f"/app/invoices{path}")
        assert at.page.status_code == 403
        assert "70000000000042" not in at.page.text


async def test_another_businesss_voucher_is_not_there(web: Web) -> None:
    await kept(web, 1, issued, tenant="other")
    await kept(web, 2, issued)
    at = await marta(web)
    await at.open("/app/invoices")
    assert re.findall(r'href="/app/invoices/(inv_\d)"', at.page.text) == ["inv_2"]
    await at.open("/app/invoices/inv_2/credit")
    form = dict(at.form("/app/invoices/inv_2/credit").values)
    for path in ("", "/pdf", "/credit"):
        await at.open(f"/app/invoices/inv_1{path}")
        assert at.page.status_code == 404
    for path in ("/credit", "/settle", "/issue"):
        answer = await at.client.post(f"/app/invoices/inv_1{path}", data={**form, "reason": "x"})
        assert answer.status_code == 404

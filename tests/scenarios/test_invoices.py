"""What AFIP says reaches whoever asked, and what it does not say is found out."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pypdf
import pytest
from attrs import frozen

from entrypoints.demo import Person, SkippingClock, Stage, stage_of
from entrypoints.serving import free_port
from entrypoints.settings import read_settings
from entrypoints.staging import running


@frozen
class Shop:
    """A running system and its people."""

    stage: Stage
    clock: SkippingClock
    client: httpx2.AsyncClient
    marta: Person
    carlos: Person

    async def ask(self, method: str, path: str, body: object = None, *, technician: bool = False) -> httpx2.Response:
        headers = await (self.carlos if technician else self.marta).bearer()
        return await self.client.request(method, self.stage.api + path, json=body, headers=headers)

    async def completed_job(self, *, price: str = "10000.00", **customer: Any) -> str:
        made = await self.ask("POST", "/api/v1/customers", {"name": "Ana Ruiz", **customer})
        job = (await self.ask("POST", "/api/v1/jobs", {"customerId": made.json()["id"], "title": "Aire"})).json()
        visit = {"startsAt": "2026-11-20T12:00:00Z", "endsAt": "2026-11-20T14:00:00Z", "technicianId": "user_carlos"}
        lines = [{"description": "Gas", "quantity": "1", "unitPrice": price}]
        moves: list[tuple[dict[str, Any], bool]] = [
            ({"to": "scheduled", **visit}, False),
            ({"to": "en_camino"}, True),
            ({"to": "working"}, True),
            ({"to": "completed", "lines": lines}, True),
        ]
        for move, technician in moves:
            moved = await self.ask("POST", f"/api/v1/jobs/{job['id']}/transitions", move, technician=technician)
            assert moved.is_success, moved.text
        return str(job["id"])

    async def invoice(self, job_id: str) -> httpx2.Response:
        return await self.ask("POST", "/api/v1/invoices", {"jobId": job_id})

    async def fault(self, kind: str, **more: Any) -> None:
        order = {"kind": kind, "operation": "FECAESolicitar", **more}
        (await self.client.post(f"{self.stage.sandbox}/afip/control/faults", json=order)).raise_for_status()

    async def vouchers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.client.get(f"{self.stage.sandbox}/afip/control/vouchers")).json()[
            "items"
        ]
        return found

    async def becomes(self, job_id: str, status: str) -> None:
        until = time.monotonic() + 20
        while (await self.ask("GET", f"/api/v1/jobs/{job_id}")).json()["status"] != status:
            assert time.monotonic() < until, f"the job did not become {status}"
            await asyncio.sleep(0.05)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Give an embedded system whose clock can be moved on."""
    environ = {"CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(tmp_path), "CUADRILLA_LOG_LEVEL": "error"}
    environ |= {"CUADRILLA_PORT": str(free_port()), "CUADRILLA_SANDBOX_PORT": str(free_port())}
    clock = SkippingClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    async with (
        running(read_settings(environ, directory=tmp_path), clock=clock) as system,
        httpx2.AsyncClient(timeout=40, trust_env=False) as client,
    ):
        stage = stage_of(system)
        marta, carlos = (
            stage.person(phone, client, clock) for phone in (stage.dispatcher_phone, stage.technician_phone)
        )
        yield Shop(stage, clock, client, marta, carlos)


async def test_afips_refusal_comes_with_its_own_code_and_text_and_the_job_stays_completed(shop: Shop) -> None:
    job_id = await shop.completed_job()
    await shop.fault("refuse", code=10048, text="El campo ImpTotal no suma")
    refused = await shop.invoice(job_id)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (422, "afip.refused")
    assert [note["code"] for note in problem["afip"]] == [10048]
    assert "ImpTotal" in problem["afip"][0]["message"]
    await shop.becomes(job_id, "completed")
    (kept,) = (await shop.ask("GET", f"/api/v1/invoices?jobId={job_id}")).json()["items"]
    assert (kept["state"], kept["observations"][0]["code"]) == ("cae_failed", 10048)
    again = await shop.invoice(job_id)
    assert (again.status_code, again.json()["state"], again.json()["number"]) == (201, "issued", 1)
    await shop.becomes(job_id, "invoiced")


async def test_an_answer_that_was_lost_is_unknown_and_found_out_by_itself(shop: Shop) -> None:
    job_id = await shop.completed_job()
    await shop.fault("cut", after_effect=True)
    lost = await shop.invoice(job_id)
    assert (lost.status_code, lost.json()["state"]) == (202, "unknown")
    shop.clock.skip(timedelta(seconds=61))
    await shop.becomes(job_id, "invoiced")
    (invoice,) = (await shop.ask("GET", f"/api/v1/invoices?jobId={job_id}")).json()["items"]
    (voucher,) = await shop.vouchers()
    assert (invoice["number"], invoice["cae"]) == (1, voucher["cae"])


async def test_a_question_that_never_arrived_is_asked_again_under_its_number(shop: Shop) -> None:
    job_id = await shop.completed_job()
    await shop.fault("cut")
    assert (await shop.invoice(job_id)).json()["state"] == "unknown"
    shop.clock.skip(timedelta(seconds=61))
    await shop.becomes(job_id, "invoiced")
    assert len(await shop.vouchers()) == 1


async def test_an_invoice_a_goes_to_a_registered_business(shop: Shop) -> None:
    job_id = await shop.completed_job(
        vatCondition="responsable_inscripto", documentType="CUIT", documentNumber="30000000007"
    )
    invoice = (await shop.invoice(job_id)).json()
    assert (invoice["letter"], invoice["voucherType"], invoice["totals"]["vat"]) == ("A", 1, "2100.00")
    pdf = await shop.ask("GET", invoice["pdf"])
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    marks = {}
    for copy in ("", "original", "duplicate", "both"):
        answer = await shop.ask("GET", f"{invoice['pdf']}?copy={copy}")
        pages = pypdf.PdfReader(io.BytesIO(answer.content)).pages
        marks[copy] = [re.findall("ORIGINAL|DUPLICADO", page.extract_text()) for page in pages]
    originals, duplicates = [["ORIGINAL"]], [["DUPLICADO"]]
    assert marks == {
        "": originals,
        "original": originals,
        "duplicate": duplicates,
        "both": [*originals, *duplicates],
    }
    wrong = await shop.ask("GET", f"{invoice['pdf']}?copy=triplicado")
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["field"]) == (400, "malformed", "copy")


async def test_an_invoice_is_agreed_in_detail_and_corrected_by_notes(shop: Shop) -> None:
    job_id = await shop.completed_job(
        vatCondition="responsable_inscripto", documentType="CUIT", documentNumber="30000000007"
    )
    agreed = {
        "jobId": job_id,
        "items": [
            {"description": "Equipo", "quantity": "1", "unitPrice": "1000.00", "vatRate": "10.5"},
            {"description": "Sellado", "quantity": "1", "unitPrice": "50", "treatment": "exempt"},
        ],
        "concept": "both",
        "serviceFrom": "2026-11-01",
        "serviceTo": "2026-11-20",
        "dueOn": "2026-12-20",
        "currency": "USD",
        "rate": "1480.5",
        "taxes": [{"id": 7, "base": "1000", "rate": "3"}],
    }
    made = await shop.ask("POST", "/api/v1/invoices", agreed)
    invoice = made.json()
    assert made.status_code == 201, made.text
    assert (invoice["kind"], invoice["dueOn"], invoice["rate"]) == ("invoice", "2026-12-20", "1480.5")
    assert invoice["totals"] == {
        "net": "1000.00",
        "vat": "105.00",
        "notTaxed": "0.00",
        "exempt": "50.00",
        "taxes": "30.00",
        "total": "1185.00",
        "currency": "USD",
        "rates": [{"rate": "10.5", "base": "1000.00", "vat": "105.00"}],
    }
    where = f"/api/v1/invoices/{invoice['id']}"
    debit = {
        "reason": "Traslado",
        "items": [{"description": "Traslado", "quantity": "1", "unitPrice": "15", "vatRate": "0"}],
    }
    more = (await shop.ask("POST", f"{where}/debit-note", debit)).json()
    assert (more["kind"], more["voucherType"], more["totals"]["total"]) == ("debit_note", 2, "15.00")
    part = (await shop.ask("POST", f"{where}/credit-note", {"reason": "Descuento", "amount": "200.00"})).json()
    assert (part["kind"], part["state"], part["totals"]["total"]) == ("credit_note", "issued", "200.00")
    assert part["corrects"][0]["printedNumber"] == "00001-00000001"
    above = await shop.ask("POST", f"{where}/credit-note", {"reason": "x", "amount": "1000.01"})
    assert (above.status_code, above.json()["findings"][0]["afipCode"]) == (422, 10237)
    rest = (await shop.ask("POST", f"{where}/credit-note", {"reason": "No se hizo"})).json()
    assert rest["totals"]["total"] == "1000.00"
    pdf = await shop.ask("GET", rest["pdf"])
    assert pdf.content[:5] == b"%PDF-"
    vouchers = {each["type"]: each["body"] for each in await shop.vouchers()}
    assert vouchers[3]["CbtesAsoc"]["CbteAsoc"][0]["Nro"] == 1
    assert (vouchers[1]["MonId"], vouchers[1]["MonCotiz"], vouchers[1]["Tributos"]["Tributo"][0]["Importe"]) == (
        "DOL",
        "1480.5",
        "30",
    )


async def test_what_afip_would_refuse_takes_no_number(shop: Shop) -> None:
    job_id = await shop.completed_job(price="10000000.00")
    refused = await shop.invoice(job_id)
    assert (refused.status_code, refused.json()["code"]) == (422, "invoice.not_acceptable")
    assert "identified" in refused.json()["detail"]
    (finding,) = refused.json()["findings"]
    assert (finding["field"], finding["afipCode"]) == ("documentNumber", 10015)
    assert finding["regla"].startswith("Desde $ 10.000.000")
    assert await shop.vouchers() == []


async def test_ten_who_ask_at_once_get_one_invoice(shop: Shop) -> None:
    job_id = await shop.completed_job()
    answers = await asyncio.gather(*(shop.invoice(job_id) for _ in range(10)))
    assert {each.status_code for each in answers} <= {201, 202, 409, 503}
    await shop.becomes(job_id, "invoiced")
    assert len(await shop.vouchers()) == 1


ITEM = {"description": "Gas", "quantity": "1", "unitPrice": "100"}
BAD: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "a negative quantity": ({"items": [ITEM, {**ITEM, "quantity": "-1"}]}, "items.1.quantity", 10044),
    "a negative price": ({"items": [{**ITEM, "unitPrice": "-1"}]}, "items.0.unitPrice", 10044),
    "too many digits": ({"items": [{**ITEM, "unitPrice": "9999999999999"}] * 2}, "items", 10056),
    "an unknown rate": ({"items": [{**ITEM, "vatRate": "19"}]}, "items.0.vatRate", 10019),
    "nothing": ({"items": []}, "items", None),
    "a future date": ({"issuedOn": "2026-12-10"}, "issuedOn", 10016),
    "a date too old": ({"issuedOn": "2026-11-09"}, "issuedOn", 10016),
    "half a period": ({"serviceFrom": "2026-11-01"}, "serviceTo", 10032),
    "due too early": ({"dueOn": "2026-11-01"}, "dueOn", 10036),
    "an unknown concept": ({"concept": "rent"}, "concept", 10030),
    "unknown money": ({"currency": "XAU", "rate": "2"}, "currency", 10037),
    "no rate": ({"currency": "USD"}, "rate", 10119),
    "an unknown tax": ({"taxes": [{"id": 77, "base": "1", "rate": "3", "amount": "1"}]}, "taxes", 10025),
    "a negative tax": ({"taxes": [{"id": 7, "base": "-1", "rate": "3"}]}, "taxes", 10028),
    "nobody for so much": ({"items": [{**ITEM, "unitPrice": "10000000"}]}, "documentNumber", 10015),
}


async def test_bad_input_is_refused_before_afip_with_its_field_and_rule_and_the_job_can_be_invoiced(shop: Shop) -> None:
    xml = "<b>&\"'</b>]]><!-- ñ -->"
    job_id = await shop.completed_job(name=xml)
    for name, (body, field, code) in BAD.items():
        refused = await shop.ask("POST", "/api/v1/invoices", {"jobId": job_id, **body})
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (422, "invoice.not_acceptable"), name
        found = [(each["field"], each["afipCode"]) for each in problem["findings"]]
        assert (field, code) in found, name
        assert all(each["regla"] and each["rule"] for each in problem["findings"]), name
    wrong = await shop.ask(
        "POST", "/api/v1/customers", {"name": "x", "documentType": "CUIT", "documentNumber": "30000000008"}
    )
    assert (wrong.status_code, wrong.json()["field"]) == (422, "documentNumber")
    assert await shop.vouchers() == []
    issued = await shop.ask("POST", "/api/v1/invoices", {"jobId": job_id, "items": [{**ITEM, "description": xml}]})
    assert (issued.status_code, issued.json()["receiver"]["name"]) == (201, xml)
    where = f"/api/v1/invoices/{issued.json()['id']}/credit-note"
    for body, field in (
        ({"reason": " "}, "reason"),
        ({"reason": "x", "amount": "0.001"}, "amount"),
        ({"reason": "x", "amount": "122.00"}, "amount"),
        ({"reason": "x", "items": [{**ITEM, "quantity": "-1"}]}, "items.0.quantity"),
        ({"reason": "x", "periodFrom": "2026-11-01"}, "periodTo"),
        ({"reason": "x", "periodFrom": "2026-11-30", "periodTo": "2026-11-01"}, "periodFrom"),
        ({"reason": "x", "annuls": True}, "annuls"),
    ):
        refused = await shop.ask("POST", where, body)
        assert (refused.status_code, refused.json()["field"]) == (422, field), body
    month = {"periodFrom": "2026-11-01", "periodTo": "2026-11-30"}
    note = await shop.ask("POST", where, {"reason": "Bonificación", "amount": "21.00", **month})
    assert (note.status_code, note.json()["periodFrom"], note.json()["totals"]["total"]) == (
        201,
        "2026-11-01",
        "21.00",
    )
    (kept,) = (each["body"] for each in await shop.vouchers() if each["type"] == 8)
    assert kept["PeriodoAsoc"] == {"FchDesde": "20261101", "FchHasta": "20261130"}
    assert "CbtesAsoc" not in kept


async def test_a_mipyme_credit_invoice_is_annulled(shop: Shop) -> None:
    job_id = await shop.completed_job(
        vatCondition="responsable_inscripto", documentType="CUIT", documentNumber="30000000007"
    )
    credit = {"cbu": "0170099220000067797370", "transfer": "ADC", "alias": "frio.mar.sol"}
    body = {"jobId": job_id, "items": [{**ITEM, "unitPrice": "6000000"}], "mipyme": credit, "dueOn": "2026-12-20"}
    owed = await shop.ask("POST", "/api/v1/invoices", body)
    assert (owed.status_code, owed.json()["voucherType"]) == (201, 201), owed.text
    where = f"/api/v1/invoices/{owed.json()['id']}/credit-note"
    note = await shop.ask("POST", where, {"reason": "Rechazada por el cliente", "annuls": True})
    assert (note.status_code, note.json()["voucherType"], note.json()["annuls"]) == (201, 203, True)
    bodies = {each["type"]: each["body"] for each in await shop.vouchers()}
    sent = {each["Id"]: each["Valor"] for each in bodies[201]["Opcionales"]["Opcional"]}
    assert sent == {"2101": credit["cbu"], "2102": credit["alias"], "27": "ADC"}
    assert bodies[203]["Opcionales"]["Opcional"] == [{"Id": "22", "Valor": "S"}]

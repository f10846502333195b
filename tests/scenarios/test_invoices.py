"""What AFIP says reaches whoever asked, and what it does not say is found out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
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

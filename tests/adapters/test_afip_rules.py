"""Past the pre-flight: the sandbox refuses what the pre-flight finds, with the very code, and takes what it lets pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from lxml import etree
from zeep import Client, Settings

from adapters.afip.authority import _Subject
from adapters.afip.soap import described
from adapters.afip.vouchers import voucher
from core.invoicing import Authorisation, Invoice, Refused, Terms
from tests.adapters.afip_bench import Bench, bench
from tests.contracts.fiscal import OBSERVED, REFUSED, TAKEN, TODAY, corrected, unchecked
from tests.contracts.samples import NOW

pytestmark = pytest.mark.anyio
FEV1 = "{http://ar.gov.afip.dif.FEV1/}"
REAL = Path(__file__).parents[3] / "shared" / "reference" / "afip" / "wsfev1"
"""AFIP's own descriptions, where somebody has put them."""


@pytest.fixture
async def afip(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


def submitted(invoice: Invoice, number: int = 1) -> Invoice:
    """Give it number and day as the service does, without looking at it."""
    return invoice.submit(number=number, issued_on=invoice.terms.issued_on or TODAY, at=NOW)


async def authorise(afip: Bench, invoice: Invoice, number: int = 1) -> Authorisation:
    """Ask the sandbox, which knows what the issuer is."""
    credentials = await afip.certificate(vatCondition=invoice.issuer.vat_condition)
    return await afip.authority(credentials).authorise(submitted(invoice, number))


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "unknown money"])
async def test_what_the_pre_flight_finds_the_sandbox_refuses_with_that_code(afip: Bench, name: str) -> None:
    invoice, _, code = REFUSED[name]
    with pytest.raises(Refused) as refusal:
        await authorise(afip, invoice)
    assert code in [each.code for each in refusal.value.observations]
    assert await afip.vouchers() == []


async def test_money_that_afip_does_not_know_is_refused_by_it(afip: Bench) -> None:
    authority = afip.authority()
    detail = voucher(submitted(unchecked())) | {"MonId": "XAU"}
    request = {"FeCabReq": {"CantReg": 1, "PtoVta": 1, "CbteTipo": 6}, "FeDetReq": {"FECAEDetRequest": [detail]}}
    answer = await authority._ask(_Subject("t"), "30712345671", "FECAESolicitar", FeCAEReq=request)
    (result,) = answer["FeDetResp"]["FECAEDetResponse"]
    assert 10037 in [each["Code"] for each in result["Observaciones"]["Obs"]]


@pytest.mark.parametrize("name", OBSERVED)
async def test_what_is_only_observed_gets_its_cae(afip: Bench, name: str) -> None:
    invoice, _, code = OBSERVED[name]
    assert code in [each.code for each in (await authorise(afip, invoice)).observations]


@pytest.mark.parametrize("name", TAKEN)
async def test_what_the_pre_flight_lets_pass_the_sandbox_takes(afip: Bench, name: str) -> None:
    await authorise(afip, TAKEN[name])
    (kept,) = await afip.vouchers()
    assert kept["type"] == TAKEN[name].voucher_type


async def test_a_future_day_in_another_month_is_refused(afip: Bench) -> None:
    afip.clock.forward(days=9)
    invoice = unchecked(concept="products", terms=Terms(issued_on=date(2026, 12, 1)))
    with pytest.raises(Refused) as refusal:
        await authorise(afip, invoice)
    assert [each.code for each in refusal.value.observations] == [10152]


@pytest.mark.parametrize("letter", ["A", "B", "C"])
async def test_notes_name_what_they_correct_and_a_credit_above_it_is_observed(afip: Bench, letter: str) -> None:
    original = TAKEN[letter]
    await authorise(afip, original)
    about = corrected(original.voucher_type)
    credit = evolve(original, kind="credit_note", corrects=(about,), reason="x")
    debit = evolve(original, kind="debit_note", corrects=(about,), reason="x")
    for note in (credit, debit):
        given = await authorise(afip, note)
        assert given.observations == ()
    kept = {each["type"]: each["body"] for each in await afip.vouchers()}
    assert kept[credit.voucher_type]["CbtesAsoc"] == {
        "CbteAsoc": [{"Tipo": about.voucher_type, "PtoVta": 1, "Nro": 1, "Cuit": "30712345671", "CbteFch": "20261120"}]
    }
    too_much = evolve(credit, lines=(*credit.lines, *credit.lines))
    assert 10237 in [each.code for each in (await authorise(afip, too_much, 2)).observations]


async def test_what_is_found_is_ours_only_if_it_corrects_the_same(afip: Bench) -> None:
    await authorise(afip, TAKEN["B"])
    note = submitted(evolve(TAKEN["B"], kind="credit_note", corrects=(corrected(),), reason="x"))
    authority = afip.authority()
    await authority.authorise(note)
    other = corrected(number=2)
    for wanted, same in ((note, True), (evolve(note, corrects=(other,)), False), (evolve(note, corrects=()), False)):
        found = await authority.find(wanted)
        assert found is not None
        assert found.same is same


@pytest.mark.skipif(not REAL.is_dir(), reason="AFIP's own descriptions are not here")
@pytest.mark.parametrize("file", ["service.homologacion.wsdl", "service.produccion.wsdl"])
def test_every_request_fits_afip_s_own_description(file: str) -> None:
    description = etree.parse(REAL / file)
    (schema,) = description.iter("{http://www.w3.org/2001/XMLSchema}schema")
    fits = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
    client = Client(described("wsfev1.wsdl"), settings=Settings(strict=False))
    operations = client.create_service(f"{FEV1}ServiceSoap", "http://127.0.0.1/")
    auth = {"Token": "t", "Sign": "s", "Cuit": 30712345671}
    details = [voucher(submitted(invoice)) for invoice in TAKEN.values()]
    head = {"CantReg": 1, "PtoVta": 1, "CbteTipo": 6}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("FECAESolicitar", {"Auth": auth, "FeCAEReq": {"FeCabReq": head, "FeDetReq": {"FECAEDetRequest": [each]}}})
        for each in details
    ]
    asked += [
        ("FECompUltimoAutorizado", {"Auth": auth, "PtoVta": 1, "CbteTipo": 6}),
        ("FECompTotXRequest", {"Auth": auth}),
        ("FECompConsultar", {"Auth": auth, "FeCompConsReq": {"CbteTipo": 6, "CbteNro": 1, "PtoVta": 1}}),
        ("FEDummy", {}),
    ]
    for operation, request in asked:
        envelope = client.create_message(operations, operation, **request)
        (body,) = envelope.iter("{http://schemas.xmlsoap.org/soap/envelope/}Body")
        fits.assertValid(etree.fromstring(etree.tostring(body[0])))

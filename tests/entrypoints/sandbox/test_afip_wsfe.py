"""The sandbox's WSFEv1 as any client meets it: zeep on the served description, bare SOAP, and the page for people."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from playwright.async_api import expect
from zeep import Client
from zeep.exceptions import Fault
from zeep.helpers import serialize_object

from tests.adapters.afip_bench import CUIT, Bench, an_invoice, bench
from tests.browser.tracking_stage import chromium
from tests.entrypoints.sandbox.afip_refusals import CBU, COMPANY, SCA, class_c, detail, fce, service, to, tribute

pytestmark = pytest.mark.anyio
NAMESPACE = "http://ar.gov.afip.dif.FEV1/"


@define
class ThirdParty:
    """A client that knows no more than the served description."""

    afip: Bench
    client: Client
    auth: dict[str, Any]

    async def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        def send() -> Any:
            return serialize_object(getattr(self.client.service, operation)(**request), dict)

        found: dict[str, Any] = await asyncio.to_thread(send)
        return found

    async def request(self, *details: Mapping[str, Any], type_: int = 6, point: int = 1) -> dict[str, Any]:
        head = {"CantReg": len(details), "PtoVta": point, "CbteTipo": type_}
        return await self.ask(
            "FECAESolicitar",
            Auth=self.auth,
            FeCAEReq={"FeCabReq": head, "FeDetReq": {"FECAEDetRequest": [dict(each) for each in details]}},
        )

    async def last(self, *, type_: int = 6, point: int = 1, **auth: Any) -> dict[str, Any]:
        return await self.ask("FECompUltimoAutorizado", Auth={**self.auth, **auth}, PtoVta=point, CbteTipo=type_)


@pytest.fixture
async def afip(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


def second(number: int = 2) -> dict[str, int]:
    """Return what makes a voucher the one of that number."""
    return {"CbteDesde": number, "CbteHasta": number}


@pytest.fixture
async def party(afip: Bench) -> ThirdParty:
    ticket = await afip.wsaa().ticket(afip.credentials)
    client = await asyncio.to_thread(Client, f"{afip.wsfe_url}?WSDL")
    return ThirdParty(afip, client, {"Token": ticket.token, "Sign": ticket.sign, "Cuit": int(CUIT)})


def codes(answer: Mapping[str, Any]) -> set[int]:
    """Return every code in the answer, of errors and of observations."""
    errors = (answer.get("Errors") or {}).get("Err") or []
    details = (answer.get("FeDetResp") or {}).get("FECAEDetResponse") or []
    observed = [each for one in details for each in (one["Observaciones"] or {}).get("Obs") or []]
    return {each["Code"] for each in [*errors, *observed]}


async def test_all_that_can_be_said_of_a_voucher_arrives_over_soap(party: ThirdParty) -> None:
    for type_, sent in (
        (6, detail()),
        (1, to(COMPANY)),
        (11, class_c()),
        (201, fce(CBU, SCA)),
        (6, service(**second())),
    ):
        answer = await party.request(sent, type_=type_)
        (result,) = answer["FeDetResp"]["FECAEDetResponse"]
        assert (answer["FeCabResp"]["Resultado"], result["Resultado"]) == ("A", "A"), codes(answer)
        assert re.fullmatch(r"[0-9]{14}", result["CAE"])
    refused = await party.request(detail(CbteDesde=3, CbteHasta=3, ImpTotal=7))
    (result,) = refused["FeDetResp"]["FECAEDetResponse"]
    assert (codes(refused), result["Resultado"], result["CAE"]) == ({10048}, "R", None)
    observed = await party.request(tribute() | {**second(3), "CondicionIVAReceptorId": 7})
    assert (codes(observed), observed["FeCabResp"]["Resultado"]) == ({10283}, "A")


async def test_the_receivers_condition_is_observed_until_november_and_then_refused(party: ThirdParty) -> None:
    first = await party.request(detail(CondicionIVAReceptorId=None))
    assert (codes(first), first["FeCabResp"]["Resultado"]) == ({10245}, "A")
    party.afip.clock.forward(days=11)
    ticket = await party.afip.wsaa().ticket(await party.afip.certificate())
    party.auth |= {"Token": ticket.token, "Sign": ticket.sign}
    later = {"CbteDesde": 2, "CbteHasta": 2, "CbteFch": "20261201", "CondicionIVAReceptorId": None}
    second = await party.request(detail(**later))
    assert (codes(second), second["FeCabResp"]["Resultado"]) == ({10246}, "R")


async def test_numbers_are_kept_per_point_of_sale_and_type(party: ThirdParty) -> None:
    await party.request(detail())
    await party.request(detail(CbteDesde=2, CbteHasta=2))
    assert codes(await party.request(detail(CbteDesde=2, CbteHasta=2))) == {10016}
    await party.request(detail(), point=2)
    await party.request(to(COMPANY), type_=1)
    last = [
        (await party.last(type_=type_, point=point))["CbteNro"] for type_, point in ((6, 1), (6, 2), (1, 1), (1, 2))
    ]
    assert last == [2, 1, 1, 0]


async def test_after_the_first_refusal_the_rest_of_a_batch_is_refused(party: ThirdParty) -> None:
    answer = await party.request(
        detail(), detail(CbteDesde=2, CbteHasta=2, ImpTotal=7), detail(CbteDesde=3, CbteHasta=3)
    )
    assert [each["Resultado"] for each in answer["FeDetResp"]["FECAEDetResponse"]] == ["A", "R", "R"]
    assert answer["FeCabResp"]["Resultado"] == "P"
    assert (await party.last())["CbteNro"] == 1


async def test_concurrent_requests_for_one_number_give_one_voucher(party: ThirdParty) -> None:
    answers = await asyncio.gather(*(party.request(detail()) for _ in range(8)))
    assert sorted(each["FeCabResp"]["Resultado"] for each in answers) == ["A"] + ["R"] * 7


async def test_an_issuer_gives_the_letters_of_its_condition(party: ThirdParty) -> None:
    await party.afip.certificate(vatCondition="monotributo")
    assert codes(await party.request(detail())) == {10000}
    assert codes(await party.request(class_c(), type_=11)) == set()
    await party.afip.certificate(vatCondition="responsable_inscripto")
    assert codes(await party.request(class_c(CbteDesde=2, CbteHasta=2), type_=11)) == {10000}


async def test_a_batch_must_be_what_its_head_says(party: ThirdParty) -> None:
    def wanted(count: int, *, point: int = 1, type_: int = 6) -> dict[str, Any]:
        head = {"CantReg": count, "PtoVta": point, "CbteTipo": type_}
        return {"FeCabReq": head, "FeDetReq": {"FECAEDetRequest": [detail()]}}

    for request, code in (
        (wanted(0), 10001),
        (wanted(2), 10002),
        (wanted(1, point=0), 10004),
        (wanted(1, point=9), 10005),
        (wanted(1, type_=5), 10007),
    ):
        assert codes(await party.ask("FECAESolicitar", Auth=party.auth, FeCAEReq=request)) == {code}


async def test_the_last_number_is_told_for_known_points_and_types_only(party: ThirdParty) -> None:
    assert codes(await party.last(point=0)) == {11000}
    assert codes(await party.last(type_=5)) == {11001}
    assert codes(await party.last(point=9)) == {11002}


async def test_a_voucher_is_found_as_it_was_sent(party: ThirdParty) -> None:
    sent = service(ImpTotal="121.5", ImpTrib="0.5")
    tribute = {"Id": 99, "Desc": "Tasa", "BaseImp": 100, "Alic": "0.5", "Importe": "0.5"}
    answer = await party.request({**sent, "Tributos": {"Tributo": [tribute]}})
    (result,) = answer["FeDetResp"]["FECAEDetResponse"]
    wanted = {"CbteTipo": 6, "CbteNro": 1, "PtoVta": 1}
    found = await party.ask("FECompConsultar", Auth=party.auth, FeCompConsReq=wanted)
    got = found["ResultGet"]
    assert (got["CodAutorizacion"], got["FchVto"], got["EmisionTipo"]) == (result["CAE"], "20261130", "CAE")
    assert (got["DocTipo"], got["DocNro"], got["ImpTotal"], got["CbteFch"]) == (96, 28123456, 121.5, "20261120")
    assert got["Iva"]["AlicIva"] == [{"Id": 5, "BaseImp": 100.0, "Importe": 21.0}]
    assert got["Tributos"]["Tributo"][0]["Desc"] == "Tasa"
    assert (got["FchServDesde"], got["FchVtoPago"]) == ("20261101", "20261120")
    nothing = await party.ask("FECompConsultar", Auth=party.auth, FeCompConsReq={**wanted, "CbteNro": 2})
    assert (codes(nothing), nothing["ResultGet"]) == ({602}, None)


async def test_a_token_must_be_whole_fresh_and_the_issuers(party: ThirdParty) -> None:
    async def said(**auth: Any) -> str:
        (error,) = (await party.last(**auth))["Errors"]["Err"]
        assert error["Code"] == 600
        return str(error["Msg"])

    assert "hash" in await said(Sign="AAAA")
    assert "No valido token" in await said(Token="AAAA")
    assert "relaciones" in await said(Cuit=20111111112)
    party.afip.clock.forward(hours=12)
    assert "No validaron las fechas del token" in await said()
    nobody = await party.ask("FECompUltimoAutorizado", PtoVta=1, CbteTipo=6)
    assert codes(nobody) == {500}


async def test_the_tables_can_be_asked_for(party: ThirdParty) -> None:
    names = ("TiposCbte", "TiposConcepto", "TiposDoc", "TiposIva", "TiposMonedas", "TiposOpcional", "TiposTributos")
    for name in (*names, "TiposPaises", "PtosVenta", "CondicionIvaReceptor"):
        answer = await party.ask(f"FEParamGet{name}", Auth=party.auth)
        (rows,) = answer["ResultGet"].values()
        assert len(rows) > 1, name
    rate = await party.ask("FEParamGetCotizacion", Auth=party.auth, MonId="DOL")
    assert rate["ResultGet"]["MonCotiz"] > 1
    assert (await party.ask("FECompTotXRequest", Auth=party.auth))["RegXReq"] == 250
    assert await party.ask("FEDummy") == {"AppServer": "OK", "DbServer": "OK", "AuthServer": "OK"}


async def test_bare_soap_is_read_as_afip_reads_it(party: ThirdParty, afip: Bench) -> None:
    auth = "".join(f"<{name}>{value}</{name}>" for name, value in reversed(party.auth.items()))
    request = f"<CbteTipo>6</CbteTipo><Unknown/><PtoVta>1</PtoVta><Auth>{auth}</Auth>"

    async def post(body: str, *, version: str = "1.1", **headers: str) -> tuple[int, str]:
        namespace = {
            "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
            "1.2": "http://www.w3.org/2003/05/soap-envelope",
        }
        envelope = f'<e:Envelope xmlns:e="{namespace[version]}"><e:Body>{body}</e:Body></e:Envelope>'
        answer = await afip.control.post("/wsfev1/service.asmx", content=envelope.encode(), headers=headers)
        return answer.status_code, answer.text

    ask = f'<FECompUltimoAutorizado xmlns="{NAMESPACE}">{request}</FECompUltimoAutorizado>'
    for headers in ({}, {"soapaction": f'"{NAMESPACE}FECompUltimoAutorizado"'}):
        for version in ("1.1", "1.2"):
            status, text = await post(ask, version=version, **headers)
            assert (status, "<CbteNro>0</CbteNro>" in text) == (200, True)
    assert "sin validez fiscal" in text
    assert "<AppServer>OK" in (await post("", soapaction=f"{NAMESPACE}FEDummy"))[1]
    assert (await post("<Nothing/>"))[0] == 500
    assert (await post(ask.replace("<PtoVta>1", "<PtoVta>one")))[0] == 500
    assert (await post("<a"))[0] == 400
    status, text = await post(ask.replace("<PtoVta>1</PtoVta>", ""))
    assert (status, "<Code>11000</Code>" in text) == (200, True)


async def test_faults_come_once_and_as_ordered(party: ThirdParty, afip: Bench) -> None:
    await afip.fault("refuse", code="10192", text="Debe ser FCE")
    assert codes(await party.request(detail())) == {10192}
    await afip.fault("error", "*", code="502", text="Transacción activa")
    assert codes(await party.last()) == {502}
    await afip.fault("http500", after_effect=True)
    with pytest.raises(Exception, match="500"):
        await party.request(detail())
    assert (await party.last())["CbteNro"] == 1
    await afip.fault("cut")
    with pytest.raises(Exception, match=r"(?i)connection|incomplete|read"):
        await party.request(detail(CbteDesde=2, CbteHasta=2))
    assert (await party.last())["CbteNro"] == 1
    assert codes(await party.request(detail(CbteDesde=2, CbteHasta=2))) == set()
    await afip.fault("error", "loginCms", code="wsaa.unavailable")
    login = await asyncio.to_thread(Client, f"{afip.wsaa_url}?wsdl")
    with pytest.raises(Fault) as fault:
        await asyncio.to_thread(login.service.loginCms, in0="x")
    assert fault.value.code == "ns1:wsaa.unavailable"


NONSENSE: tuple[tuple[str, Any], ...] = (
    ("faults", {"kind": "explode"}),
    ("faults", {"kind": "cut", "operation": "Nothing"}),
    ("faults", {"kind": "refuse", "operation": "FEDummy", "code": 1}),
    ("faults", {"kind": "error", "code": "x"}),
    ("faults", {"kind": "slow", "seconds": "soon"}),
    ("faults", {"kind": "slow", "seconds": 1e9}),
    ("faults", ["cut"]),
    ("certificates", {"cuit": "1"}),
    ("certificates", {"cuit": CUIT, "points": ["1"]}),
    ("certificates", {"cuit": CUIT, "points": [0]}),
    ("certificates", {"cuit": CUIT, "csr": "no"}),
    ("certificates", {"cuit": CUIT, "vatCondition": "rico"}),
    ("certificates", {"cuit": CUIT, "days": 10**9}),
    ("clock", {"offsetSeconds": "later"}),
    ("clock", {"offsetSeconds": 1e300}),
    ("clock", {"at": "tomorrow"}),
    ("faults", {"kind": "cut", "calls": 0}),
    ("faults", {"kind": "cut", "probability": 1.5}),
    ("faults", {"kind": "http500", "status": 404}),
    ("faults", {"kind": "expired_token", "operation": "loginCms"}),
    ("certificates", {"cuit": CUIT, "represents": ["1"]}),
    ("certificates", {"cuit": CUIT, "services": ["nothing"]}),
    ("register", {"cuit": "30712345672"}),
    ("register", {"cuit": CUIT, "status": "rich"}),
    ("issuers", {"cuit": CUIT, "points": [{"number": 0}]}),
    ("issuers", {"cuit": CUIT, "points": [{"number": 1, "kind": "CAI"}]}),
    ("issuers", {"cuit": CUIT, "small": "yes"}),
    ("issuers", {"cuit": CUIT, "activities": ["1"]}),
    ("rules", {"guardSeconds": -1}),
    ("rules", {"finalConsumer": {}}),
    ("rules", {"finalConsumer": {"soon": 1}}),
    ("rules", {"rates": {"PES": 1}}),
    ("rules", {"rates": {"DOL": "NaN"}}),
    ("rules", {"colour": "red"}),
)


async def test_the_control_door_says_what_it_does_not_understand(afip: Bench) -> None:
    for path, body in NONSENSE:
        answer = await afip.control.post(f"/afip/control/{path}", json=body)
        assert answer.status_code == 422, (path, body)
        assert answer.json()["error"]
    assert (await afip.control.get("/afip/control/vouchers?limit=many")).status_code == 422


async def test_the_sandbox_remembers_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as first:
        await first.authority().authorise(an_invoice())
        credentials = first.credentials
    async with bench(tmp_path) as second:
        second.clock.forward(minutes=11)
        assert await second.authority(credentials).last_authorised("t", an_invoice().series) == 1


async def test_the_page_shows_what_happened_and_orders_a_fault(afip: Bench) -> None:
    await afip.certificate(alias="<b>a</b>")
    authorisation = await afip.authority().authorise(an_invoice())
    app_css = await afip.control.get("/afip/control/control.css")
    assert app_css.status_code == 200
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 390, "height": 844}, locale="es-AR")
        page.set_default_timeout(30_000)
        await page.goto(f"{afip.url}/afip/control")
        row = page.get_by_role("region", name="Comprobantes autorizados")
        for text in ("Factura B", "00001-00000001", "20/11/2026", "$ 18.150,91", authorisation.cae):
            await expect(row).to_contain_text(text)
        await expect(page.get_by_role("region", name="Próximos números")).to_contain_text("2")
        await expect(page.get_by_role("region", name="Certificados emitidos")).to_contain_text("<b>a</b>")
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await page.locator("select[name=kind]").select_option("error")
        await page.get_by_label("Código").fill("abc")
        await page.get_by_role("button", name="Agregar falla").click()
        await expect(page.get_by_role("alert")).to_contain_text("code must be a number")
        await page.locator("select[name=kind]").select_option("cut")
        await page.get_by_role("button", name="Agregar falla").click()
        await expect(page.locator(".orders")).to_contain_text("Corta la conexión, FECAESolicitar")
        await page.get_by_role("button", name="Quitar todas").click()
        await expect(page.get_by_text("Ninguna: todo responde bien.")).to_be_visible()
        await page.get_by_label("CUIT").fill("30522763922")
        await page.get_by_label("Estado").select_option("fictitious")
        await page.get_by_role("button", name="Guardar en el padrón").click()
        await expect(page.get_by_role("region", name="Padrón")).to_contain_text("apócrifa (10195)")
        await page.get_by_label("Llevarlo a").fill("2026-12-01T10:30")
        await page.get_by_role("button", name="Cambiar").click()
        await expect(page.locator("#clock")).to_contain_text("01/12/2026 10:30 11 d 1 h adelantado")
        await page.get_by_role("button", name="Volver a la hora real").click()
        await expect(page.locator("#clock")).to_contain_text("20/11/2026 09:00")
    english = await afip.control.get("/afip/control", headers={"accept-language": "en-GB,es;q=0.5"})
    assert "Authorised vouchers" in english.text

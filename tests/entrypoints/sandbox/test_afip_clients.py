"""Independent clients of several SOAP stacks against the sandbox AFIP, told nothing but its addresses."""

from __future__ import annotations

import asyncio
import base64
import html
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import suds.client
import zeep
from attrs import define
from lxml import etree

from adapters.afip.tickets import sign_request
from entrypoints.sandbox.afip import wsfe
from tests.adapters.afip_bench import CUIT, Bench, bench
from tests.contracts.samples import NOW
from tests.entrypoints.sandbox.afip_raw import NAMESPACE, Raw, voucher, xml
from tests.entrypoints.sandbox.afip_refusals import detail

pytestmark = pytest.mark.anyio
RECORDED = Path(__file__).parents[4] / "shared" / "reference" / "afip" / "responses"
TYPED = {"CbteDesde": 1, "CbteHasta": 1}


@define
class Place:
    """A running sandbox, a raw client for it, and an issuer's token."""

    afip: Bench
    raw: Raw
    auth: dict[str, str]

    async def ask(self, operation: str, content: str, **how: Any) -> Any:
        return await asyncio.to_thread(lambda: self.raw.wsfe(operation, content, **how))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with bench(tmp_path) as running:
        ticket = await running.wsaa().ticket(running.credentials)
        yield Place(running, Raw(running.url), {"Token": ticket.token, "Sign": ticket.sign, "Cuit": CUIT})


@pytest.mark.parametrize("binding", ["ServiceSoap", "ServiceSoap12"])
async def test_zeep_authorises_over_both_versions(place: Place, binding: str) -> None:
    def work() -> tuple[str, str]:
        with zeep.Client(f"{place.afip.wsfe_url}?wsdl") as client:
            (port,) = [
                port
                for service in client.wsdl.services.values()
                for port in service.ports.values()
                if port.name == binding
            ]
            service = client.create_service(f"{{{NAMESPACE}}}{binding}", port.binding_options["address"])
            head = {"CantReg": 1, "PtoVta": 1, "CbteTipo": 6}
            request = {"FeCabReq": head, "FeDetReq": {"FECAEDetRequest": [detail()]}}
            (result,) = service.FECAESolicitar(Auth=place.auth, FeCAEReq=request).FeDetResp.FECAEDetResponse
            wanted = {"CbteTipo": 6, "CbteNro": 1, "PtoVta": 1}
            return result.CAE, service.FECompConsultar(Auth=place.auth, FeCompConsReq=wanted).ResultGet.CodAutorizacion

    given, found = await asyncio.to_thread(work)
    assert given == found
    assert re.fullmatch("[0-9]{14}", given)


async def test_suds_logs_in_authorises_and_asks(place: Place) -> None:
    credentials = await place.afip.certificate()
    request = sign_request(credentials, at=NOW)

    def work() -> tuple[Any, Any, Any]:
        wsaa = suds.client.Client(f"{place.afip.wsaa_url}?wsdl", cache=None)
        ticket = etree.fromstring(str(wsaa.service.loginCms(request)).encode())
        client = suds.client.Client(f"{place.afip.wsfe_url}?WSDL", cache=None)
        auth = client.factory.create("ns0:FEAuthRequest")
        auth.Token, auth.Sign = (ticket.findtext(f"credentials/{name}") for name in ("token", "sign"))
        auth.Cuit = int(CUIT)
        made = {
            name: client.factory.create(f"ns0:{name}")
            for name in (
                "FECAERequest",
                "FECAECabRequest",
                "ArrayOfFECAEDetRequest",
                "FECAEDetRequest",
                "ArrayOfAlicIva",
                "AlicIva",
            )
        }
        wanted, one, row = made["FECAERequest"], made["FECAEDetRequest"], made["AlicIva"]
        wanted.FeCabReq, wanted.FeDetReq = made["FECAECabRequest"], made["ArrayOfFECAEDetRequest"]
        wanted.FeCabReq.CantReg, wanted.FeCabReq.PtoVta, wanted.FeCabReq.CbteTipo = 1, 2, 6
        for name, value in detail().items():
            setattr(one, name, value)
        row.Id, row.BaseImp, row.Importe = 5, 100, 21
        one.Iva = made["ArrayOfAlicIva"]
        one.Iva.AlicIva = [row]
        wanted.FeDetReq.FECAEDetRequest = [one]
        last = client.service.FECompUltimoAutorizado(auth, 2, 6)
        return client.service.FEDummy(), last, client.service.FECAESolicitar(auth, wanted)

    dummy, last, answer = await asyncio.to_thread(work)
    assert (dummy.AppServer, last.CbteNro) == ("OK", 0)
    assert (answer.FeCabResp.Resultado, len(answer.FeDetResp.FECAEDetResponse[0].CAE)) == ("A", 14)


async def test_bytes_of_other_stacks_are_read_as_afip_reads_them(place: Place) -> None:
    # As PHP and Python's older clients: 1.1, an empty body under the action's name.
    raw = place.raw
    dummy = await asyncio.to_thread(lambda: raw.soap("/wsfev1/service.asmx", "", action=f"{NAMESPACE}FEDummy"))
    assert (dummy.status, dummy.all("AppServer")) == (200, ["OK"])
    # As node's: 1.2 without an action, by the body's element; and as .NET's: 1.2 with the action in the type.
    ask = xml({"Auth": place.auth, "PtoVta": 1, "CbteTipo": 6})
    for version, action in (("1.2", False), ("1.2", True), ("1.1", False), ("1.1", True)):
        answer = await place.ask("FECompUltimoAutorizado", ask, version=version, action=action)
        assert (answer.status, answer.all("CbteNro")) == (200, ["0"]), (version, action)
        assert answer.kind.startswith("text/xml" if version == "1.1" else "application/soap+xml")
        assert answer.all("ambiente") == ["Cuadrilla sandbox - sin validez fiscal"]
    # The action goes before the body's element.
    other = await asyncio.to_thread(
        lambda: raw.soap("/wsfev1/service.asmx", "<FECompTotXRequest/>", action=f"{NAMESPACE}FEDummy")
    )
    assert other.all("DbServer") == ["OK"]
    # Any order, unknown elements and those of no namespace are not there.
    strewn = "<Unknown><a/></Unknown><PtoVta xmlns=''>9</PtoVta>" + "".join(
        xml({name: value})
        for name, value in (("CbteTipo", 6), ("PtoVta", 2), ("Auth", dict(reversed(place.auth.items()))))
    )
    assert (await place.ask("FECompUltimoAutorizado", strewn)).all("PtoVta") == ["2"]
    # Prefixes are a matter of taste.
    prefixed = re.sub(r"<(/?)(\w)", r"<\1ar:\2", f"<FECompUltimoAutorizado>{ask}</FECompUltimoAutorizado>")
    prefixed = prefixed.replace("<ar:FECompUltimoAutorizado>", f'<ar:FECompUltimoAutorizado xmlns:ar="{NAMESPACE}">')
    assert (await asyncio.to_thread(lambda: raw.soap("/wsfev1/service.asmx", prefixed))).all("CbteNro") == ["0"]
    # A number that is missing is 0; one that is none is a fault, and so is an action that nobody has.
    missing = await place.ask("FECompUltimoAutorizado", xml({"Auth": place.auth, "CbteTipo": 6}))
    assert (missing.status, missing.all("Code")) == (200, ["11000"])
    for wrong in ("one", "1.0", "99999999999"):
        answer = await place.ask("FECompUltimoAutorizado", xml({"Auth": place.auth, "PtoVta": wrong, "CbteTipo": 6}))
        assert (answer.status, answer.all("faultcode")) == (500, ["soap:Client"]), wrong
    for wrong in ("1_000", "NaN", "1,5"):
        answer = await place.ask("FECAESolicitar", voucher(place.auth, 1, detail(ImpTotal=wrong)))
        assert (answer.status, answer.all("faultcode")) == (500, ["soap:Client"]), wrong
    unknown = await asyncio.to_thread(lambda: raw.soap("/wsfev1/service.asmx", "", action="http://tempuri.org/FEDummy"))
    assert (unknown.status, "SOAPAction" in unknown.body) == (500, True)
    fault = await place.ask("FENothing", "", version="1.2", action=False)
    assert (fault.status, fault.all("Value")) == (500, ["soap:Sender"])
    for broken in (b"", b"<a", b"<a/>", b"\xff\xfe"):
        answer = await asyncio.to_thread(raw.post, "/wsfev1/service.asmx", broken, {"content-type": "text/xml"})
        assert (answer.status, answer.body) == (400, ""), broken


async def test_the_descriptions_are_afips_but_for_the_address(place: Place) -> None:
    for name, url, count in (("wsaa", place.afip.wsaa_url, 1), ("wsfev1", place.afip.wsfe_url, 2)):
        kept = (resources.files("adapters.afip") / "wsdl" / f"{name}.wsdl").read_bytes()
        for asked in ("wsdl", "WSDL"):
            served = (await place.afip.control.get(f"{url}?{asked}")).content
            addresses = re.findall(rb'address location="([^"]*)"', served)
            assert addresses == [url.encode()] * count
            hidden = [re.sub(rb'address location="[^"]*"', b"", each) for each in (kept, served)]
            assert hidden[0] == hidden[1]


async def test_all_operations_answer_over_both_versions_as_they_are_described(place: Place) -> None:
    issuer = {"cuit": CUIT, "activities": [432200], "points": [{"number": 9, "kind": "CAEA"}]}
    (await place.afip.control.post("/afip/control/issuers", json=issuer)).raise_for_status()
    described = etree.fromstring((await place.afip.control.get(f"{place.afip.wsfe_url}?wsdl")).content)
    within = described.find(".//{http://www.w3.org/2001/XMLSchema}schema")
    schema = etree.XMLSchema(etree.fromstring(etree.tostring(within)))
    caea = {"Periodo": 202611, "Orden": 2}
    given = (await place.ask("FECAEASolicitar", xml({"Auth": place.auth, **caea}))).all("CAEA")[0]
    reported = {**detail(), "CAEA": given, "CbteFchHsGen": "20261120101500"}
    report = {
        "FeCabReq": {"CantReg": 1, "PtoVta": 9, "CbteTipo": 6},
        "FeDetReq": {"FECAEADetRequest": [reported]},
    }
    contents: dict[str, Mapping[str, Any]] = {
        "FECAEASolicitar": caea,
        "FECAEAConsultar": caea,
        "FECAEARegInformativo": {"FeCAEARegInfReq": report},
        "FECAEASinMovimientoInformar": {"PtoVta": 10, "CAEA": given},
        "FECAEASinMovimientoConsultar": {"CAEA": given, "PtoVta": 0},
        "FECompUltimoAutorizado": {"PtoVta": 1, "CbteTipo": 6},
        "FECompConsultar": {"FeCompConsReq": {"CbteTipo": 6, "CbteNro": 1, "PtoVta": 1}},
        "FEParamGetCotizacion": {"MonId": "DOL"},
        "FEParamGetCondicionIvaReceptor": {"ClaseCmp": "B"},
    }
    issuer = {"cuit": CUIT, "points": [{"number": 10, "kind": "CAEA"}]}
    (await place.afip.control.post("/afip/control/issuers", json=issuer)).raise_for_status()
    names = [each.get("name") for each in described.iterfind("{*}portType[1]/{*}operation")]
    assert sorted(names) == sorted(wsfe.operations())
    assert len(names) == 22
    # In the order of their names: nothing is reported yet when it is asked for, and the report comes twice.
    spoken = {("FECAEASinMovimientoConsultar", 1): {"602"}, ("FECAEARegInformativo", 2): {"10016"}}
    for number, version in ((1, "1.1"), (2, "1.2")):
        for name in sorted(names):
            content = xml({"Auth": place.auth, **contents.get(name, {})}) if name != "FEDummy" else ""
            if name == "FECAESolicitar":
                content = voucher(place.auth, number, detail())
            answer = await place.ask(name, content, version=version)
            root = etree.fromstring(answer.body.encode())
            (result,) = root.find("{*}Body")
            assert schema.validate(result), (name, schema.error_log)
            assert answer.status == 200
            wrong = {"15008"} if name == "FECAEASolicitar" else spoken.get((name, number), set())
            assert set(answer.all("Code")) == wrong, (name, answer.body)


async def test_a_caea_is_given_once_and_reported_truthfully(place: Place) -> None:
    points = [{"number": each, "kind": "CAEA"} for each in (9, 10)]
    (await place.afip.control.post("/afip/control/issuers", json={"cuit": CUIT, "points": points})).raise_for_status()

    async def codes(operation: str, **content: Any) -> list[str]:
        found: list[str] = (await place.ask(operation, xml({"Auth": place.auth, **content}))).all("Code")
        return found

    assert await codes("FECAEASolicitar", Periodo=202613, Orden=1) == ["15004"]
    assert await codes("FECAEASolicitar", Periodo=202611, Orden=3) == ["15007"]
    assert await codes("FECAEASolicitar", Periodo=202611, Orden=1) == ["15006"]
    assert await codes("FECAEAConsultar", Periodo=202611, Orden=2) == ["602"]
    given = await place.ask("FECAEASolicitar", xml({"Auth": place.auth, "Periodo": 202611, "Orden": 2}))
    assert (given.all("FchVigDesde"), given.all("FchVigHasta"), given.all("FchTopeInf")) == (
        ["20261116"],
        ["20261130"],
        ["20261208"],
    )
    assert await codes("FECAEASolicitar", Periodo=202611, Orden=2) == ["15008"]
    (caea,) = given.all("CAEA")
    again = await place.ask("FECAEAConsultar", xml({"Auth": place.auth, "Periodo": 202611, "Orden": 2}))
    assert again.all("CAEA") == [caea]

    async def report(number: int, **changed: Any) -> Any:
        head = {"CantReg": 1, "PtoVta": changed.pop("point", 9), "CbteTipo": 6}
        one = {**detail(CbteDesde=number, CbteHasta=number), "CAEA": caea, **changed}
        return await place.ask(
            "FECAEARegInformativo",
            xml({"Auth": place.auth, "FeCAEARegInfReq": {"FeCabReq": head, "FeDetReq": {"FECAEADetRequest": [one]}}}),
        )

    assert (await report(1, CAEA="")).all("Code") == ["782", "10016"] or (await report(1, CAEA="")).all("Code") == [
        "782"
    ]
    assert "1200" in (await report(1, CAEA="1" * 14)).all("Code")
    assert (await report(1, CbteFch="20261115")).all("Code") == ["10016"]
    assert (await report(1, point=1)).all("Code") == ["10005"]
    assert (await report(1)).all("Resultado") == ["A", "A"]
    assert (await report(1)).all("Code") == ["10016"]
    found = await place.ask(
        "FECompConsultar", xml({"Auth": place.auth, "FeCompConsReq": {"CbteTipo": 6, "CbteNro": 1, "PtoVta": 9}})
    )
    assert (found.all("CodAutorizacion"), found.all("EmisionTipo")) == ([caea], ["CAEA"])
    assert await codes("FECAEASinMovimientoInformar", PtoVta=9, CAEA=caea) == ["1200"]
    assert await codes("FECAEASinMovimientoInformar", PtoVta=1, CAEA=caea) == ["10005"]
    assert await codes("FECAEASinMovimientoConsultar", PtoVta=10, CAEA=caea) == ["602"]
    assert await codes("FECAEASinMovimientoInformar", PtoVta=10, CAEA=caea) == []
    unused = await place.ask("FECAEASinMovimientoConsultar", xml({"Auth": place.auth, "PtoVta": 0, "CAEA": caea}))
    assert unused.all("PtoVta") == ["10"]


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="signs with the openssl command, as PHP and shell clients do"
)
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
async def test_what_openssl_signs_is_taken(place: Place, tmp_path: Path, digest: str) -> None:
    credentials = await place.afip.certificate(represents=["20111111112"], alias="openssl")
    paths = {"cert.pem": credentials.certificate, "key.pem": credentials.key}
    source = f"serialNumber=CUIT {CUIT},cn=openssl"
    paths["tra.xml"] = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<loginTicketRequest version="1.0">\n<header>'
        f"<source>{source}</source><destination>CN=wsaahomo, O=AFIP, C=AR, SERIALNUMBER=CUIT 33693450239</destination>"
        "<uniqueId>1</uniqueId><generationTime>2026-11-20T08:59:00.1234567-03:00</generationTime>"
        "<expirationTime>2026-11-20T09:10:00.1234567-03:00</expirationTime></header>\n<service>wsfe</service>\n</loginTicketRequest>"
    )
    for name, text in paths.items():
        (tmp_path / name).write_text(text)
    command = f"openssl cms -sign -in tra.xml -signer cert.pem -inkey key.pem -md {digest} -nodetach -outform DER"
    signed = await asyncio.to_thread(
        lambda: subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True).stdout
    )

    def log_in() -> Any:
        body = f"<ser:loginCms xmlns:ser='https://wsaahomo.afip.gov.ar/ws/services/LoginCms'><in0>{base64.encodebytes(signed).decode()}</in0></ser:loginCms>"
        return place.raw.soap("/ws/services/LoginCms", body, action="None")

    answer = await asyncio.to_thread(log_in)
    assert answer.status == 200, answer.body
    ticket = etree.fromstring(html.unescape(answer.all("loginCmsReturn")[0]).encode())
    auth = {name.title(): ticket.findtext(f"credentials/{name}") for name in ("token", "sign")}
    for cuit, code in ((CUIT, []), ("20111111112", ["11002"]), ("30500010912", ["600"])):
        last = await place.ask(
            "FECompUltimoAutorizado", xml({"Auth": {**auth, "Cuit": cuit}, "PtoVta": 1, "CbteTipo": 6})
        )
        assert last.all("Code") == code, cuit


async def test_a_certificate_speaks_only_for_whom_and_what_it_was_given(place: Place) -> None:
    other = await place.afip.certificate(services=["wsfex"])
    answer = await asyncio.to_thread(lambda: _log_in(place.raw, sign_request(other, at=NOW)))
    assert answer.all("faultcode") == ["ns1:coe.notAuthorized"]
    (await place.afip.control.post("/afip/control/rules", json={"guardSeconds": 120})).raise_for_status()
    again = sign_request(place.afip.credentials, at=NOW)
    assert (await asyncio.to_thread(lambda: _log_in(place.raw, again))).all("faultcode") == [
        "ns1:coe.alreadyAuthenticated"
    ]
    place.afip.clock.forward(seconds=120)
    assert (await asyncio.to_thread(lambda: _log_in(place.raw, again))).status == 200


def _log_in(raw: Raw, cms: str) -> Any:
    return raw.soap("/ws/services/LoginCms", f"<loginCms><in0>{cms}</in0></loginCms>", action="")


def _shape(element: Any) -> Any:
    """Return an element as its names, in order and without those that repeat, nor what came after the recordings (of 2021)."""
    children = [child for child in element if not child.tag.endswith("CondicionIVAReceptorId")]
    shapes = [_shape(child) for child in children]
    return (etree.QName(element).localname, tuple(shape for at, shape in enumerate(shapes) if shape not in shapes[:at]))


def _recorded() -> dict[str, list[Any]]:
    """Return the results that AFIP's test environment gave, by operation."""
    found: dict[str, list[Any]] = {}
    for path in sorted(RECORDED.rglob("*.yaml")):
        text = path.read_text()
        text = re.sub(r"\n +", " ", re.sub(r"\\\n\s*\\?", "", text)).replace('\\"', '"')
        for body in re.findall(r"<soap:Body>(<FE\w+Response .*?)</soap:Body>", text):
            root = etree.fromstring(re.sub(r"\\x..", "?", body).encode())
            found.setdefault(etree.QName(root).localname.removesuffix("Response"), []).append(root)
    return found


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of AFIP's test environment are not here")
async def test_answers_have_the_shape_of_those_recorded_at_afip(place: Place) -> None:
    recorded = _recorded()
    assert len(recorded) >= 12
    note = {"CbtesAsoc": {"CbteAsoc": {"Tipo": 1, "PtoVta": 2, "Nro": 1234}}}
    tribute = {"Tributos": {"Tributo": {"Id": 99, "Desc": "Tasa", "BaseImp": 100, "Alic": 1, "Importe": 1}}}
    simple = {"DocTipo": 80, "DocNro": 30500010912, "CondicionIVAReceptorId": 6, "ImpTrib": 1, "ImpTotal": 122}
    sent = detail(**simple) | tribute
    (await place.afip.control.post("/afip/control/register", json={"cuit": "30500010912"})).raise_for_status()
    shapes: dict[str, set[Any]] = {}

    async def note_shape(operation: str, content: str) -> None:
        answer = await place.ask(operation, content)
        (result,) = etree.fromstring(answer.body.encode()).find("{*}Body")
        shapes.setdefault(operation, set()).add(_shape(result))

    def consult(number: int, type_: int) -> str:
        return xml({"Auth": place.auth, "FeCompConsReq": {"CbteTipo": type_, "CbteNro": number, "PtoVta": 1}})

    await note_shape("FECAESolicitar", voucher(place.auth, 1, sent, type_=1))
    await note_shape("FECAESolicitar", voucher(place.auth, 1, sent, type_=1))
    await note_shape("FECAESolicitar", voucher(place.auth, 2, {**sent, "CbteFch": "20260101"}, type_=1))
    services = {"Concepto": 3, "FchServDesde": "20261120", "FchServHasta": "20261120", "FchVtoPago": "20261120"}
    await note_shape("FECAESolicitar", voucher(place.auth, 2, {**sent, **services}, type_=1))
    await note_shape("FECAESolicitar", voucher(place.auth, 1, {**sent, **note}, type_=2))
    for number, type_ in ((1, 1), (2, 1), (1, 2), (9, 1)):
        await note_shape("FECompConsultar", consult(number, type_))
    for name in wsfe.operations():
        if name.startswith("FEParamGet") and name != "FEParamGetCotizacion":
            await note_shape(name, xml({"Auth": place.auth}))
    await note_shape("FEParamGetCotizacion", xml({"Auth": place.auth, "MonId": "DOL"}))
    await note_shape("FECompTotXRequest", xml({"Auth": place.auth}))
    await note_shape("FECompUltimoAutorizado", xml({"Auth": place.auth, "PtoVta": 1, "CbteTipo": 6}))
    for period, half in ((202600, 1), (202612, 1)):
        await note_shape("FECAEAConsultar", xml({"Auth": place.auth, "Periodo": period, "Orden": half}))
    await note_shape("FECAEASolicitar", xml({"Auth": place.auth, "Periodo": 202601, "Orden": 1}))
    await note_shape("FECAEASinMovimientoInformar", xml({"Auth": place.auth, "PtoVta": 9, "CAEA": "1" * 14}))
    issuer = {"cuit": CUIT, "points": [{"number": 9, "kind": "CAEA"}]}
    (await place.afip.control.post("/afip/control/issuers", json=issuer)).raise_for_status()
    report = voucher(place.auth, 1, sent, point=9, type_=1)
    report = report.replace("FeCAEReq", "FeCAEARegInfReq").replace("FECAEDetRequest", "FECAEADetRequest")
    await note_shape("FECAEARegInformativo", report)
    for operation, roots in recorded.items():
        for root in roots:
            assert _shape(root) in shapes[operation], (operation, etree.tostring(root), shapes[operation])

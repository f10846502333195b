"""WSFEv1 through the adapter, against the sandbox over real HTTP and against servers that make no sense."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from adapters.afip import AfipCredentials, valid_until
from adapters.afip.breaker import Breaker
from adapters.afip.soap import LARGEST_ANSWER, described, session_for
from adapters.afip.tickets import fingerprint
from adapters.memory.invoices import MemoryTrail
from adapters.memory.pauses import Steps
from core.invoicing import AnswerLost, Authorisation, Receiver, Refused
from core.kernel.errors import NotFound, Unavailable
from core.kernel.money import Line
from tests.adapters.afip_bench import (
    COMPANY,
    CUIT,
    SOMEBODY,
    TODAY,
    Bench,
    an_invoice,
    answering,
    bench,
    http,
    ticks_while,
)
from tests.servers import free_port

pytestmark = pytest.mark.anyio
FEV1 = "http://ar.gov.afip.dif.FEV1/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@pytest.fixture
async def afip(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


def envelope(content: str, *, operation: str = "FECAESolicitar") -> bytes:
    inner = (
        f'<{operation}Response xmlns="{FEV1}"><{operation}Result>{content}</{operation}Result></{operation}Response>'
    )
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{inner}</s:Body></s:Envelope>'.encode()


async def test_a_voucher_is_authorised_and_what_afip_has_is_what_was_meant(afip: Bench) -> None:
    authority = afip.authority()
    invoice = an_invoice()
    assert await authority.last_authorised("t", invoice.series) == 0
    authorisation = await authority.authorise(invoice)
    assert authorisation.expires_on == date(2026, 11, 30)
    assert await authority.last_authorised("t", invoice.series) == 1
    (kept,) = await afip.vouchers()
    assert (kept["cuit"], kept["point"], kept["type"], kept["number"]) == (int(CUIT), 1, 6, 1)
    assert kept["cae"] == authorisation.cae
    body = kept["body"]
    assert (body["ImpTotal"], body["ImpNeto"], body["ImpIVA"]) == ("18150.91", "15000.75", "3150.16")
    assert body["Iva"] == {"AlicIva": [{"Id": 5, "BaseImp": "15000.75", "Importe": "3150.16"}]}
    assert (body["FchServDesde"], body["FchServHasta"], body["FchVtoPago"]) == ("20261120",) * 3
    assert (body["DocTipo"], body["DocNro"], body["CondicionIVAReceptorId"]) == (99, 0, 5)


@pytest.mark.parametrize(
    ("condition", "receiver", "type_"),
    [("responsable_inscripto", COMPANY, 1), ("responsable_inscripto", SOMEBODY, 6), ("monotributo", COMPANY, 11)],
)
async def test_each_letter_is_taken(afip: Bench, condition: str, receiver: Receiver, type_: int) -> None:
    credentials = await afip.certificate(vatCondition=condition)
    invoice = an_invoice(issuer_condition=condition, receiver=receiver, concept="products")
    await afip.authority(credentials).authorise(invoice)
    (kept,) = await afip.vouchers()
    assert kept["type"] == type_
    assert "FchServDesde" not in kept["body"]
    assert ("Iva" in kept["body"]) == (type_ != 11)


@pytest.mark.parametrize("price", ["0.1", "0.07", "33.333333", "1E+3", "9999999.99"])
async def test_amounts_arrive_to_the_cent(afip: Bench, price: str) -> None:
    lines = tuple(
        Line(description=rate, quantity=Decimal(3), unit_price=Decimal(price), vat_rate=Decimal(rate))
        for rate in ("21", "10.5", "27", "2.5", "5", "0")
    )
    invoice = an_invoice(receiver=COMPANY, lines=lines)
    await afip.authority().authorise(invoice)
    (kept,) = await afip.vouchers()
    assert Decimal(kept["body"]["ImpTotal"]) == invoice.totals.total
    sent = {each["Id"]: (Decimal(each["BaseImp"]), Decimal(each["Importe"])) for each in kept["body"]["Iva"]["AlicIva"]}
    assert sorted(sent.values()) == sorted((each.base, each.vat) for each in invoice.totals.rates)


async def test_what_is_given_away_does_not_disturb(afip: Bench) -> None:
    free = Line(
        description="x", quantity=Decimal(1), unit_price=Decimal(9), discount=Decimal(100), vat_rate=Decimal("10.5")
    )
    paid = Line(description="y", quantity=Decimal(1), unit_price=Decimal(100))
    await afip.authority().authorise(an_invoice(lines=(free, paid)))
    (kept,) = await afip.vouchers()
    assert [each["Id"] for each in kept["body"]["Iva"]["AlicIva"]] == [5]


async def test_money_that_afip_does_not_know_is_refused_without_asking(afip: Bench) -> None:
    with pytest.raises(Refused, match="XAU"):
        await afip.authority().authorise(evolve(an_invoice(), currency="XAU"))
    assert afip.asked == []


async def test_a_refusal_has_the_code_and_text_of_afip(afip: Bench) -> None:
    with pytest.raises(Refused) as refusal:
        await afip.authority().authorise(an_invoice(7))
    assert [each.code for each in refusal.value.observations] == [10016]
    assert "FECompUltimoAutorizado" in refusal.value.observations[0].text
    assert await afip.vouchers() == []


async def test_a_refusal_without_details_is_one_too(afip: Bench) -> None:
    await afip.fault("error", code="10005", text="Punto de venta no habilitado")
    with pytest.raises(Refused, match="10005: Punto de venta no habilitado"):
        await afip.authority().authorise(an_invoice())


async def test_what_afip_observes_comes_with_the_cae_and_with_what_is_found(afip: Bench) -> None:
    authority = afip.authority()
    invoice = an_invoice(receiver=evolve(COMPANY, vat_condition="monotributo"))
    authorisation = await authority.authorise(invoice)
    assert [each.code for each in authorisation.observations] == [10217]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize(("kind", "more"), [("cut", {}), ("http500", {}), ("slow", {"seconds": 1.5})])
async def test_a_lost_answer_is_lost_and_can_be_found_out(
    afip: Bench, kind: str, more: dict[str, Any], after_effect: bool
) -> None:
    authority = afip.authority(operation_timeout=0.5)
    await authority.last_authorised("t", an_invoice().series)
    await afip.fault(kind, after_effect=after_effect, **more)
    with pytest.raises(AnswerLost):
        await authority.authorise(an_invoice())
    found = await authority.find(an_invoice())
    assert (found is not None) == after_effect
    if found is not None:
        (kept,) = await afip.vouchers()
        assert (found.same, found.authorisation.cae) == (True, kept["cae"])


@pytest.mark.parametrize("code", ["500", "501", "502"])
async def test_trouble_at_afip_leaves_the_outcome_open(afip: Bench, code: str) -> None:
    authority = afip.authority()
    await afip.fault("error", code=code)
    with pytest.raises(AnswerLost, match=code):
        await authority.authorise(an_invoice())
    for operation in ("FECompUltimoAutorizado", "FECompConsultar"):
        await afip.fault("error", operation, code=code)
    with pytest.raises(Unavailable, match=code) as asked:
        await authority.last_authorised("t", an_invoice().series)
    assert type(asked.value) is Unavailable
    with pytest.raises(Unavailable, match=code):
        await authority.find(an_invoice())


@pytest.mark.parametrize("kind", ["cut", "http500"])
async def test_a_question_that_gets_no_answer_twice_is_unavailable(afip: Bench, kind: str) -> None:
    authority = afip.authority()
    for operation in ("FECompUltimoAutorizado", "FECompConsultar", "FEDummy"):
        await afip.fault(kind, operation)
        await afip.fault(kind, operation)
    for question in (
        authority.last_authorised("t", an_invoice().series),
        authority.find(an_invoice()),
        authority.ping(),
    ):
        with pytest.raises(Unavailable) as asked:
            await question
        assert type(asked.value) is Unavailable


async def test_nobody_there_is_unavailable_and_never_lost(afip: Bench) -> None:
    authority = afip.authority(wsfe_url=f"http://127.0.0.1:{free_port()}/wsfev1/service.asmx")
    with pytest.raises(Unavailable) as failure:
        await authority.authorise(an_invoice())
    assert type(failure.value) is Unavailable


async def test_without_a_ticket_nothing_was_sent(afip: Bench) -> None:
    await afip.fault("http500", "loginCms")
    with pytest.raises(Unavailable) as failure:
        await afip.authority().authorise(an_invoice())
    assert type(failure.value) is Unavailable
    assert afip.asked == ["/ws/services/LoginCms"]


async def test_a_ticket_that_takes_too_long_sends_nothing(afip: Bench) -> None:
    await afip.fault("slow", "loginCms", seconds=0.3)
    with pytest.raises(Unavailable, match="not asked") as failure:
        await afip.authority(sent_within=0.1).authorise(an_invoice())
    assert type(failure.value) is Unavailable
    assert afip.asked == ["/ws/services/LoginCms"]


async def test_a_tenant_without_a_certificate_is_refused(afip: Bench) -> None:
    async def none(tenant: str) -> AfipCredentials:
        msg = f"{tenant} has no AFIP certificate"
        raise NotFound(msg)

    authority = afip.authority(credentials_of=none)
    with pytest.raises(Refused, match="no AFIP certificate"):
        await authority.authorise(an_invoice())
    with pytest.raises(Refused, match="no AFIP certificate"):
        await authority.last_authorised("t", an_invoice().series)
    with pytest.raises(Unavailable, match="no AFIP certificate"):
        await authority.find(an_invoice())


async def test_a_ticket_that_afip_no_longer_takes_is_renewed_once(afip: Bench) -> None:
    await afip.wsaa().ticket(afip.credentials)
    key = f"wsaa:{afip.wsaa_url}:{fingerprint(afip.credentials)}:wsfe"
    kept = await afip.store.load(key)
    assert kept is not None
    await afip.store.save(key, kept.replace("2026-11-20T21:00", "2026-11-30T21:00"))
    afip.clock.forward(hours=13)
    await afip.authority().authorise(an_invoice())
    assert afip.logins == 2
    assert len(await afip.vouchers()) == 1


async def test_a_foreign_cuit_is_refused_in_the_words_of_afip(afip: Bench) -> None:
    foreign = an_invoice()
    foreign = evolve(foreign, issuer=evolve(foreign.issuer, cuit="20111111112"))
    with pytest.raises(Refused, match="600: ValidacionDeToken"):
        await afip.authority().authorise(foreign)
    assert afip.logins == 2


async def test_find_compares_receiver_total_and_date(afip: Bench) -> None:
    authority = afip.authority()
    invoice = an_invoice(receiver=COMPANY)
    assert await authority.find(invoice) is None
    authorisation = await authority.authorise(invoice)
    others = (
        an_invoice(receiver=evolve(COMPANY, document_number="33693450239")),
        an_invoice(receiver=COMPANY, issued_on=TODAY + timedelta(days=1)),
        an_invoice(receiver=COMPANY, lines=(Line(description="x", quantity=Decimal(1), unit_price=Decimal(7)),)),
    )
    for wanted, same in ((invoice, True), *((other, False) for other in others)):
        found = await authority.find(wanted)
        assert found is not None
        assert (found.same, found.authorisation.cae) == (same, authorisation.cae)


async def test_a_refused_question_says_nothing_about_the_voucher(afip: Bench) -> None:
    await afip.fault("error", "FECompConsultar", code="10104", text="CbteTipo")
    with pytest.raises(Unavailable, match="10104"):
        await afip.authority().find(an_invoice())
    expired = await afip.certificate(days=-2)
    with pytest.raises(Unavailable, match=r"cms\.cert\.expired"):
        await afip.authority(expired).find(an_invoice())


SENSELESS = [
    b"",
    http(b""),
    http(b"", status="400 Bad Request"),
    http(b"<html><body>mantenimiento</body></html>", kind="text/html"),
    http(b"<br>", status="503 Service Unavailable"),
    http(b"<a/>"),
    http(b"\xff\xfe\x00"),
    http(b"moved", status="302 Found\r\nlocation: /elsewhere"),
    http(envelope("")),
    http(envelope("<FeDetResp><FECAEDetResponse/></FeDetResp>")),
    http(envelope("<FeDetResp><FECAEDetResponse><Resultado>A</Resultado><CAE>1</CAE></FECAEDetResponse></FeDetResp>")),
    http(envelope("<Errors><Err><Code>many</Code><Msg>x</Msg></Err></Errors>")),
    http(envelope("<Unheard>1</Unheard>")),
    http(
        envelope(
            "<FeDetResp><FECAEDetResponse><Resultado>A</Resultado><CAE>71234567890123</CAE><CAEFchVto>20261130</CAEFchVto>"
        )[:-60]
    ),
    http(envelope("", operation="FEDummy")),
    http(b'<!DOCTYPE a [<!ENTITY b "10016">]><a>&b;</a>'),
    http(
        b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
        + envelope("<Errors><Err><Code>10016</Code><Msg>&c;</Msg></Err></Errors>")
    ),
    http(b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>'),
    http(
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>{"x" * 2_000_000}'
        "</faultstring></s:Fault></s:Body></s:Envelope>".encode(),
        status="500 Internal Server Error",
    ),
    http(f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault/></s:Body></s:Envelope>'.encode(), status="500 Oops"),
    http(envelope("<a>" + "y" * (LARGEST_ANSWER + 10) + "</a>")),
    b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"not HTTP at all\r\n\r\n",
]


@pytest.mark.parametrize("number", range(len(SENSELESS)))
async def test_a_senseless_answer_is_a_lost_one(afip: Bench, number: int) -> None:
    async with answering(lambda: SENSELESS[number]) as url:
        with pytest.raises(AnswerLost) as lost:
            await afip.authority(wsfe_url=url).authorise(an_invoice())
    assert len(str(lost.value)) < 1000


@pytest.mark.parametrize(
    "result",
    [
        "",
        "<ResultGet/>",
        "<ResultGet><CbteDesde>1</CbteDesde><CbteHasta>1</CbteHasta></ResultGet>",
        "<ResultGet><DocTipo>99</DocTipo><DocNro>0</DocNro><CbteDesde>2</CbteDesde><CbteHasta>2</CbteHasta></ResultGet>",
    ],
)
async def test_what_is_found_is_never_guessed(afip: Bench, result: str) -> None:
    async with answering(lambda: http(envelope(result, operation="FECompConsultar"))) as url:
        with pytest.raises(Unavailable):
            await afip.authority(wsfe_url=url).find(an_invoice())


async def test_what_afip_may_add_one_day_does_not_disturb(afip: Bench) -> None:
    content = (
        "<FeCabResp><Cuit>1</Cuit><PtoVta>1</PtoVta><CbteTipo>6</CbteTipo><FchProceso>20261120</FchProceso><CantReg>1</CantReg>"
        "<Resultado>A</Resultado><Reproceso>N</Reproceso><New>1</New></FeCabResp><FeDetResp><FECAEDetResponse><Concepto>2</Concepto>"
        "<DocTipo>99</DocTipo><DocNro>0</DocNro><CbteDesde>1</CbteDesde><CbteHasta>1</CbteHasta><CbteFch>20261120</CbteFch>"
        "<Resultado>A</Resultado><CAE>71234567890123</CAE><CAEFchVto>20261130</CAEFchVto><New><a/></New></FECAEDetResponse>"
        "</FeDetResp><Events><Evt><Code>41</Code><Msg>x</Msg></Evt></Events><New/>"
    )
    async with answering(lambda: http(envelope(content))) as url:
        assert (await afip.authority(wsfe_url=url).authorise(an_invoice())).cae == "71234567890123"


async def test_the_event_loop_goes_on_while_afip_thinks(afip: Bench) -> None:
    authority = afip.authority()
    await afip.fault("slow", seconds=0.5)
    assert await ticks_while(authority.authorise(an_invoice())) > 10


async def test_several_series_are_asked_at_once(afip: Bench) -> None:
    authority = afip.authority()
    invoices = [an_invoice(point_of_sale=point, receiver=to) for point in (1, 2) for to in (COMPANY, SOMEBODY)]
    given = await asyncio.gather(*map(authority.authorise, invoices))
    assert len({each.cae for each in given}) == 4
    assert afip.logins == 1


async def test_afip_says_how_it_is(afip: Bench) -> None:
    await afip.authority().ping()
    parts = "<AppServer>OK</AppServer><DbServer>ERROR</DbServer><AuthServer>OK</AuthServer>"
    async with answering(lambda: http(envelope(parts, operation="FEDummy"))) as url:
        with pytest.raises(Unavailable, match="DbServer"):
            await afip.authority(wsfe_url=url).ping()


def _certificate(folder: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


OAKLEY_2 = bytes.fromhex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE65381FFFFFFFFFFFFFFFF"
)
"""The 1024-bit group of RFC 2409, with generator 2."""
GROUP = base64.b64encode(bytes.fromhex("30818702818100") + OAKLEY_2 + bytes.fromhex("020102"))


class Quiet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        pass


@contextlib.contextmanager
def https(folder: Path, *, old: bool) -> Iterator[tuple[str, Path]]:
    """Serve HTTPS, if `old` as AFIP's production does: TLS 1.2 over a 1024-bit Diffie-Hellman group."""
    certificate = _certificate(folder)
    group = folder / "dh.pem"
    group.write_bytes(b"-----BEGIN DH PARAMETERS-----\n" + GROUP + b"\n-----END DH PARAMETERS-----\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if old:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0")
        context.load_dh_params(str(group))
    server = HTTPServer(("127.0.0.1", free_port()), Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/", certificate
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_only_the_hosts_of_production_are_spoken_to_in_older_tls(tmp_path: Path) -> None:
    with https(tmp_path, old=True) as (url, certificate):
        with session_for(url, weak_hosts=frozenset({"127.0.0.1"})) as older:
            assert older.get(url, timeout=5, verify=str(certificate)).status_code == 204
        weak = session_for(url, weak_hosts=frozenset({"127.0.0.1"}))
        with weak, pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            weak.get(url, timeout=5)
        with session_for(url) as usual, pytest.raises(requests.exceptions.SSLError, match=r"(?i)dh.key.too.small"):
            usual.get(url, timeout=5, verify=str(certificate))


async def test_a_server_that_is_not_trusted_was_not_asked(afip: Bench, tmp_path: Path) -> None:
    with https(tmp_path, old=False) as (url, _), pytest.raises(Unavailable) as failure:
        await afip.authority(wsfe_url=url).authorise(an_invoice())
    assert type(failure.value) is Unavailable


@pytest.mark.parametrize("kind", ["cut", "http500"])
async def test_a_question_that_gets_no_answer_once_is_asked_again(afip: Bench, kind: str) -> None:
    authority = afip.authority()
    await authority.authorise(an_invoice())
    await afip.fault(kind, "FECompUltimoAutorizado")
    assert await authority.last_authorised("t", an_invoice().series) == 1


async def test_a_request_for_a_cae_is_never_repeated(afip: Bench) -> None:
    authority = afip.authority()
    await authority.last_authorised("t", an_invoice().series)
    afip.asked.clear()
    await afip.fault("cut")
    with pytest.raises(AnswerLost):
        await authority.authorise(an_invoice())
    assert len(afip.asked) == 1
    assert await afip.vouchers() == []


async def test_who_does_not_answer_is_left_alone_for_a_while(afip: Bench) -> None:
    time = [0.0]
    authority = afip.authority(breaker=Breaker("AFIP", after=3, rest=10.0, clock=lambda: time[0]))
    await authority.last_authorised("t", an_invoice().series)
    for _ in range(3):
        await afip.fault("cut")
        with pytest.raises(AnswerLost):
            await authority.authorise(an_invoice())
    afip.asked.clear()
    with pytest.raises(Unavailable, match="was not asked") as refusal:
        await authority.authorise(an_invoice())
    assert (type(refusal.value), afip.asked) == (Unavailable, [])
    time[0] = 10.0
    assert (await authority.authorise(an_invoice())).cae
    assert await authority.last_authorised("t", an_invoice().series) == 1


async def test_every_call_about_a_voucher_is_kept_without_the_ticket(afip: Bench) -> None:
    trail = MemoryTrail(Steps())
    authority = afip.authority(trail=trail)
    invoice = an_invoice()
    await authority.last_authorised(invoice.tenant, invoice.series)
    yes = await authority.authorise(invoice)
    await authority.find(invoice)
    await afip.fault("cut", after_effect=True)
    with pytest.raises(AnswerLost):
        await authority.authorise(an_invoice())
    lost, found, asked = await trail.of(invoice.tenant, [invoice.id], limit=10)
    assert [each.operation for each in (lost, found, asked)] == ["FECAESolicitar", "FECompConsultar", "FECAESolicitar"]
    assert (lost.response, "does not answer" in lost.failure) == ("", True)
    assert yes.cae in asked.response
    assert "<ns0:ImpTotal>18150.91</ns0:ImpTotal>" in asked.request
    for each in (lost, found, asked):
        assert "Token>-</" in each.request
        assert "Sign>-</" in each.request
        assert re.search(r"[A-Za-z0-9+/=]{60}", each.request) is None
    assert await trail.of("other", [invoice.id], limit=10) == []


async def test_many_vouchers_are_authorised_in_one_request(afip: Bench) -> None:
    authority = afip.authority()
    invoices = [an_invoice(number) for number in (1, 2, 3)]
    assert await authority.most_at_once("t", invoices[0].series) == 250
    afip.asked.clear()
    given = await authority.authorise_many(invoices)
    assert len({each.cae for each in given if isinstance(each, Authorisation)}) == 3
    assert len(afip.asked) == 1
    assert [each["number"] for each in await afip.vouchers()] == [3, 2, 1]


async def test_after_the_first_refusal_none_of_many_is_considered(afip: Bench) -> None:
    bad = evolve(an_invoice(2), receiver=evolve(SOMEBODY, document_type="DNI", document_number="0"))
    yes, no, after, last = await afip.authority().authorise_many([an_invoice(1), bad, an_invoice(3), an_invoice(4)])
    assert isinstance(yes, Authorisation)
    assert isinstance(no, Refused)
    assert [each.code for each in no.observations] == [10015]
    assert (after, last) == (None, None)
    assert [each["number"] for each in await afip.vouchers()] == [1]


async def test_a_lost_answer_to_many_is_lost_as_a_whole(afip: Bench) -> None:
    await afip.fault("cut", after_effect=True)
    authority = afip.authority()
    with pytest.raises(AnswerLost):
        await authority.authorise_many([an_invoice(1), an_invoice(2)])
    for number in (1, 2):
        found = await authority.find(an_invoice(number))
        assert found is not None
        assert found.same


async def test_a_request_of_many_that_is_refused_as_a_whole_is_the_first_one_s_refusal(afip: Bench) -> None:
    await afip.fault("error", code="10005", text="Punto de venta no habilitado")
    first, second = await afip.authority().authorise_many([an_invoice(1), an_invoice(2)])
    assert isinstance(first, Refused)
    assert second is None


async def test_the_end_of_a_certificate_is_known(afip: Bench) -> None:
    soon = await afip.certificate(days=20)
    assert valid_until(soon).date() == TODAY + timedelta(days=20)
    with pytest.raises(Refused, match="cannot be read"):
        valid_until(AfipCredentials(certificate="x", key="y"))


async def test_no_description_is_read_after_the_first(afip: Bench) -> None:
    """Another authority, another address: the same description."""
    before = described("wsfev1.wsdl")
    await afip.authority().ping()
    await afip.authority(wsfe_url=afip.wsfe_url + "?x").ping()
    assert described("wsfev1.wsdl") is before

"""The sandbox's WSAA as any client meets it: zeep on the served description, and bare SOAP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from lxml import etree
from zeep import Client
from zeep.exceptions import Fault

from adapters.afip import AfipCredentials
from tests.adapters.afip_bench import CUIT, Bench, bench
from tests.contracts.samples import NOW

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def afip(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running


def request(
    *,
    generated: str | datetime = NOW - 10 * MINUTE,
    expires: str | datetime = NOW + 10 * MINUTE,
    service: str = "wsfe",
    version: str = "1.0",
    unique_id: str = "4294967295",
) -> bytes:
    times = [each if isinstance(each, str) else each.isoformat() for each in (generated, expires)]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<loginTicketRequest version="{version}"><header><uniqueId>{unique_id}</uniqueId>'
        f"<generationTime>{times[0]}</generationTime><expirationTime>{times[1]}</expirationTime></header>"
        f"<service>{service}</service></loginTicketRequest>"
    ).encode()


def signed(credentials: AfipCredentials, content: bytes, *options: pkcs7.PKCS7Options) -> bytes:
    certificate = x509.load_pem_x509_certificate(credentials.certificate.encode())
    key = serialization.load_pem_private_key(credentials.key.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


async def login(afip: Bench, cms: bytes | str) -> Any:
    """Ask as a third party would, and return the ticket as a tree."""
    text = cms if isinstance(cms, str) else base64.b64encode(cms).decode()

    def ask() -> Any:
        with Client(f"{afip.wsaa_url}?wsdl") as client:
            return client.service.loginCms(in0=text)

    return etree.fromstring((await asyncio.to_thread(ask)).encode())


async def code_of(afip: Bench, cms: bytes | str) -> str:
    with pytest.raises(Fault) as fault:
        await login(afip, cms)
    assert fault.value.message
    return str(fault.value.code).removeprefix("ns1:")


async def test_a_signed_request_gets_a_ticket_for_twelve_hours(afip: Bench) -> None:
    ticket = await login(afip, signed(afip.credentials, request()))
    assert ticket.tag == "loginTicketResponse"
    begins, ends = (
        datetime.fromisoformat(ticket.findtext(f"header/{name}Time")) for name in ("generation", "expiration")
    )
    assert (begins, ends - begins) == (NOW, timedelta(hours=12))
    assert ticket.findtext("header/generationTime") == "2026-11-20T09:00:00.000-03:00"
    token = etree.fromstring(base64.b64decode(ticket.findtext("credentials/token")))
    assert token.find("operation/login").get("service") == "wsfe"
    assert [each.get("key") for each in token.iter("relation")] == [CUIT]
    assert base64.b64decode(ticket.findtext("credentials/sign"))


@pytest.mark.parametrize(
    ("generated", "expires"),
    [
        ("2026-11-20T08:50:00-03:00", "2026-11-20T09:10:00-03:00"),
        ("2026-11-20T11:50:00.123Z", "2026-11-20T12:10:00+00:00"),
        ("2026-11-20T08:50:00", "2026-11-20T09:10:00"),
    ],
)
async def test_times_are_taken_as_clients_write_them(afip: Bench, generated: str, expires: str) -> None:
    await login(afip, signed(afip.credentials, request(generated=generated, expires=expires)))


async def test_base64_may_have_line_breaks_and_a_trailing_mark(afip: Bench) -> None:
    await login(afip, base64.encodebytes(signed(afip.credentials, request())).decode() + "--")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<a/>", "xml.bad"),
        (b"", "xml.bad"),
        (b'<!DOCTYPE a [<!ENTITY b "1">]><loginTicketRequest version="1.0">&b;</loginTicketRequest>', "xml.bad"),
        (request(unique_id="x"), "xml.bad"),
        (request(generated="0001-01-01T00:00:00+14:00"), "xml.bad"),
        (request(version="2.0"), "xml.version.notSupported"),
        (request(generated=NOW + MINUTE), "xml.generationTime.invalid"),
        (request(generated=NOW - timedelta(hours=25)), "xml.generationTime.invalid"),
        (request(expires=NOW - MINUTE), "xml.expirationTime.expired"),
        (request(expires=NOW + timedelta(hours=25)), "xml.expirationTime.invalid"),
        (request(service="wsfev1"), "wsn.notFound"),
        (request(unique_id="4294967296"), "xml.bad"),
        (request().replace(b"<uniqueId>", b"<source>cn=somebody</source><uniqueId>"), "xml.source.invalid"),
        (request().replace(b"<uniqueId>", b"<destination>cn=me</destination><uniqueId>"), "xml.destination.invalid"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(afip: Bench, content: bytes, code: str) -> None:
    assert await code_of(afip, signed(afip.credentials, content)) == code


async def test_what_is_no_signed_message_is_refused(afip: Bench) -> None:
    good = signed(afip.credentials, request())
    assert await code_of(afip, "no base64!") == "cms.bad.base64"
    assert await code_of(afip, b"no CMS") == "cms.bad"
    assert await code_of(afip, good[:-20]) == "cms.bad"
    detached = signed(afip.credentials, request(), pkcs7.PKCS7Options.DetachedSignature)
    assert await code_of(afip, detached) == "cms.bad"
    without = signed(afip.credentials, request(), pkcs7.PKCS7Options.NoCerts)
    assert await code_of(afip, without) == "cms.cert.notFound"


async def test_a_changed_content_or_signature_is_refused(afip: Bench) -> None:
    good = signed(afip.credentials, request())
    assert await code_of(afip, good.replace(b">wsfe<", b">wsfx<")) == "cms.sign.invalid"
    assert await code_of(afip, good[:-1] + bytes([good[-1] ^ 1])) == "cms.sign.invalid"
    plain = signed(afip.credentials, request(), pkcs7.PKCS7Options.NoAttributes)
    assert await code_of(afip, plain.replace(b">wsfe<", b">wsfx<")) == "cms.sign.invalid"
    await login(afip, plain)


async def test_only_certificates_of_its_own_authority_in_their_time_are_trusted(afip: Bench) -> None:
    assert await code_of(afip, signed(await afip.certificate(days=-1), request())) == "cms.cert.expired"
    assert await code_of(afip, signed(_foreign(NOW), request())) == "cms.cert.untrusted"
    assert await code_of(afip, signed(_foreign(NOW + timedelta(days=9)), request())) == "cms.cert.invalid"


async def test_a_signing_request_of_ones_own_is_certified(afip: Bench) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()
    answer = await afip.control.post("/afip/control/certificates", json={"cuit": CUIT, "csr": pem})
    assert set(answer.json()) == {"certificate"}
    own = AfipCredentials(certificate=answer.json()["certificate"], key=_pem(key))
    await login(afip, signed(own, request()))


async def test_a_second_ticket_is_refused_for_ten_minutes(afip: Bench) -> None:
    cms = signed(afip.credentials, request(expires=NOW + timedelta(hours=1)))
    await login(afip, cms)
    afip.clock.forward(minutes=9)
    assert await code_of(afip, cms) == "coe.alreadyAuthenticated"
    await login(afip, signed(await afip.certificate(), request(expires=NOW + timedelta(hours=1))))
    afip.clock.forward(minutes=1)
    await login(afip, cms)


async def test_faults_look_as_afips_do(afip: Bench) -> None:
    body = _soap("<in0>bm8=</in0>")
    answer = await afip.control.post(
        "/ws/services/LoginCms", content=body, headers={"content-type": "text/xml", "soapaction": '""'}
    )
    assert answer.status_code == 500
    assert '<faultcode xmlns:ns1="http://xml.apache.org/axis/">ns1:cms.bad</faultcode>' in answer.text
    assert "gov.afip.desein.dvadac.sua.view.wsaa.LoginFault" in answer.text
    without = await afip.control.post("/ws/services/LoginCms", content=body, headers={"content-type": "text/xml"})
    assert (without.status_code, "ns1:Client.NoSOAPAction" in without.text) == (500, True)
    for broken in (b"", b"<a/>", b"<a", body[:-9]):
        answer = await afip.control.post(
            "/ws/services/LoginCms", content=broken, headers={"content-type": "text/xml", "soapaction": '""'}
        )
        assert (answer.status_code, answer.content) == (400, b"")


async def test_soap_1_2_and_any_namespace_are_understood(afip: Bench) -> None:
    cms = base64.b64encode(signed(afip.credentials, request())).decode()
    body = _soap(f"<in0>{cms}</in0>").replace(
        b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"
    )
    answer = await afip.control.post(
        "/ws/services/LoginCms", content=body, headers={"content-type": "application/soap+xml"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/soap+xml")
    assert "&lt;loginTicketResponse" in answer.text


def _soap(content: str) -> bytes:
    envelope = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x:loginCms xmlns:x="urn:any">'
    return f"{envelope}{content}</x:loginCms></e:Body></e:Envelope>".encode()


def _foreign(begins: datetime) -> AfipCredentials:
    """Return a certificate that signed itself in the name of the sandbox's authority."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, f"CUIT {CUIT}")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cuadrilla sandbox CA")]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins - timedelta(days=1))
        .not_valid_after(begins + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return AfipCredentials(certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(), key=_pem(key))


def _pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

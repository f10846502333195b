"""WSAA: an access ticket for whoever signs a request with a certificate of ours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

from asn1crypto import cms
from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import NameOID
from lxml import etree

from entrypoints.sandbox.afip.state import AfipState

ARGENTINA: Final = timezone(timedelta(hours=-3))
LIFE: Final = timedelta(hours=12)
WINDOW: Final = timedelta(hours=24)
SERVICES: Final = frozenset({"wsfe", "wsfex", "wsmtxca", "wscdc", "ws_sr_constancia_inscripcion", "ws_sr_padron_a13"})
"""Those that exist; a certificate is authorised for wsfe unless somebody asked for others, and only wsfe is served here."""
_OWN_CUIT: Final = "33693450239"
_SHORT: Final = {NameOID.SERIAL_NUMBER: "serialNumber"}
_HASHES: Final[dict[str, Any]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class Refused(Exception):
    """WSAA says no, with its code and text."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


@frozen
class Holder:
    """Who a token speaks for, read back from the token."""

    cuits: tuple[int, ...]
    service: str


def login(state: AfipState, request: str, *, at: datetime) -> str:
    """Return a `loginTicketResponse` for a signed request; raise `Refused`. Checks stand in the order observed at AFIP."""
    certificate, content = _opened(request)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        code = "cms.cert.expired" if at > certificate.not_valid_after_utc else "cms.cert.invalid"
        raise Refused(code, "Certificado expirado o aún no válido")
    try:
        certificate.verify_directly_issued_by(state.ca_certificate)
    except (ValueError, TypeError, InvalidSignature) as foreign:
        raise Refused("cms.cert.untrusted", "Certificado no emitido por AC de confianza") from foreign
    unique_id, service = _ticket_request(content, certificate, at=at)
    cuit = _cuit(certificate)
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    with state.transaction():
        services, represented = state.delegations(fingerprint) or (frozenset(), ())
        if service not in services:
            raise Refused("coe.notAuthorized", "Computador no autorizado a acceder al servicio")
        given = state.ticket_given(fingerprint, service)
        # A clock that was moved back behind the last ticket leaves no window to wait for.
        if given is not None and timedelta() <= at - given < timedelta(seconds=state.rules.guard_seconds):
            raise Refused("coe.alreadyAuthenticated", "El CEE ya posee un TA valido para el acceso al WSN solicitado")
        state.note_ticket(fingerprint, service, at)
    relations = tuple(dict.fromkeys((cuit, *represented)))
    return _ticket(state, cuit=cuit, relations=relations, service=service, unique_id=unique_id, at=at)


def _opened(request: str) -> tuple[x509.Certificate, bytes]:
    """Return the signer's certificate and the signed content, the signature verified."""
    text = re.sub(r"\s", "", request).rstrip("-")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise Refused("cms.bad.base64", "No se puede decodificar el BASE64") from broken
    try:
        info = cms.ContentInfo.load(der)
        signed = info["content"]
        if info["content_type"].native != "signed_data" or signed["encap_content_info"]["content"].native is None:
            raise Refused("cms.bad", "El CMS no es valido")
        content: bytes = signed["encap_content_info"]["content"].native
        (signer,) = signed["signer_infos"]
        given = signed["certificates"]
        certificates = [x509.load_der_x509_certificate(each.chosen.dump()) for each in given] if given.native else []
    except Refused:
        raise
    except Exception as broken:  # asn1crypto raises whatever the bytes provoke
        raise Refused("cms.bad", "El CMS no es valido") from broken
    try:
        serial = signer["sid"].chosen["serial_number"].native
        issuer = signer["sid"].chosen["issuer"].dump()
        certificate = next(
            each for each in certificates if each.serial_number == serial and each.issuer.public_bytes() == issuer
        )
    except Exception as missing:
        raise Refused("cms.cert.notFound", "No se ha encontrado certificado de firmador") from missing
    _verify(signer, certificate, content)
    return certificate, content


def _verify(signer: Any, certificate: x509.Certificate, content: bytes) -> None:
    try:
        algorithm = signer["digest_algorithm"]["algorithm"].native
        hashing = _HASHES[algorithm]()
        attributes = signer["signed_attrs"]
        signed = content
        if attributes.native:
            digest = next(each["values"][0].native for each in attributes if each["type"].native == "message_digest")
            if digest != hashlib.new(algorithm, content, usedforsecurity=False).digest():
                raise InvalidSignature
            signed = b"\x31" + attributes.dump()[1:]  # signed as a SET, stored with an implicit tag
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise InvalidSignature
        key.verify(signer["signature"].native, signed, padding.PKCS1v15(), hashing)
    except Exception as wrong:  # whatever is odd about it, the signature does not hold
        raise Refused("cms.sign.invalid", "Firma inválida o algoritmo no soportado") from wrong


def _ticket_request(content: bytes, certificate: x509.Certificate, *, at: datetime) -> tuple[str, str]:
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        unique_id = int(root.findtext("header/uniqueId"))
        source, destination = (root.findtext(f"header/{name}") for name in ("source", "destination"))
        generated = _time(root.findtext("header/generationTime"))
        expires = _time(root.findtext("header/expirationTime"))
        service = str(root.findtext("service"))
        if root.tag != "loginTicketRequest" or not 0 <= unique_id < 2**32 or not 3 <= len(service) <= 32:
            raise ValueError(root.tag)
    except (etree.LxmlError, ValueError, TypeError, OverflowError) as broken:
        raise Refused("xml.bad", "No se ha podido interpretar el XML contra el SCHEMA") from broken
    if root.get("version", "1.0") != "1.0":
        raise Refused("xml.version.notSupported", "La version del documento no es soportada")
    if source is not None and _named(source) != _named(certificate.subject.rfc4514_string(_SHORT)):
        raise Refused("xml.source.invalid", "El atributo 'source' no se corresponde con el DN del Computador")
    if destination is not None and _OWN_CUIT not in destination:
        raise Refused("xml.destination.invalid", "El atributo 'destination' no se corresponde con el DN del WSAA")
    if generated > at or generated < at - WINDOW:
        raise Refused("xml.generationTime.invalid", "El tiempo de generacion no es valido")
    if expires <= at:
        raise Refused("xml.expirationTime.expired", "El tiempo de expiracion es inferior a la hora actual")
    if expires > at + WINDOW:
        raise Refused("xml.expirationTime.invalid", "El tiempo de expiracion es mayor al permitido")
    if service not in SERVICES:
        raise Refused("wsn.notFound", "El servicio informado no existe")
    return str(unique_id), service


def _named(distinguished: str) -> frozenset[tuple[str, str]]:
    """Return the parts of a distinguished name; neither order nor case nor blanks tell one name from another."""
    parts = (each.partition("=") for each in distinguished.split(","))
    return frozenset((name.strip().lower(), value.strip().lower()) for name, _, value in parts)


def _time(text: str | None) -> datetime:
    instant = datetime.fromisoformat(text or "")
    return (instant if instant.tzinfo else instant.replace(tzinfo=ARGENTINA)).astimezone(UTC)


def _cuit(certificate: x509.Certificate) -> int:
    named = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    digits = re.search(r"\d{11}", str(named[0].value)) if named else None
    if digits is None:
        raise Refused("coe.notAuthorized", "Computador no autorizado a acceder al servicio")
    return int(digits.group())


def _ticket(
    state: AfipState, *, cuit: int, relations: tuple[int, ...], service: str, unique_id: str, at: datetime
) -> str:
    generated, expires = at, at + LIFE
    related = "".join(f'<relation key="{each}" reltype="4"/>' for each in relations)
    sso = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><sso version="2.0">'
        f'<id src="CN=cuadrilla-sandbox" dst="CN=wsfe" unique_id="{unique_id}" gen_time="{int(generated.timestamp())}" '
        f'exp_time="{int(expires.timestamp())}"/><operation type="login" value="granted">'
        f'<login entity="33693450239" service="{service}" uid="SERIALNUMBER=CUIT {cuit}" authmethod="cms" regmethod="22">'
        f"<relations>{related}</relations></login></operation></sso>"
    )
    token = base64.b64encode(sso.encode()).decode()
    sign = base64.b64encode(state.ca_key.sign(token.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def stamp(instant: datetime) -> str:
        return instant.astimezone(ARGENTINA).isoformat(timespec="milliseconds")

    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<loginTicketResponse version="1.0">\n    <header>\n'
        "        <source>CN=cuadrilla-sandbox</source>\n"
        f"        <destination>SERIALNUMBER=CUIT {cuit}</destination>\n"
        f"        <uniqueId>{unique_id}</uniqueId>\n        <generationTime>{stamp(generated)}</generationTime>\n"
        f"        <expirationTime>{stamp(expires)}</expirationTime>\n    </header>\n    <credentials>\n"
        f"        <token>{token}</token>\n        <sign>{sign}</sign>\n    </credentials>\n</loginTicketResponse>\n"
    )


def holder_of(state: AfipState, token: str, sign: str, *, at: datetime) -> Holder | str:
    """Return whom a token speaks for, or what is wrong with it; dates are checked before the signature."""
    read = _read(token)
    if read is None:
        return "ValidacionDeToken: No valido token"
    generated, expires, holder = read
    if not generated <= at.timestamp() < expires:
        begins, ends = (datetime.fromtimestamp(each, UTC).isoformat(" ") for each in (generated, expires))
        return (
            "ValidacionDeToken: No validaron las fechas del token GenTime, ExpTime, NowUTC: "
            f"{generated} ({begins}), {expires} ({ends}), {at.astimezone(UTC).isoformat(' ', timespec='seconds')}"
        )
    if not _signed(state.ca_key, token, sign):
        return "ValidacionDeToken: Error al verificar hash: VerificacionDeHash"
    if holder.service != "wsfe":
        return f"ValidacionDeToken: El token es del servicio {holder.service}"
    return holder


@lru_cache(maxsize=64)
def _read(token: str) -> tuple[int, int, Holder] | None:
    try:
        root = etree.fromstring(base64.b64decode(token), etree.XMLParser(resolve_entities=False, no_network=True))
        times = root.find("id")
        entry = root.find("operation/login")
        cuits = tuple(int(each.get("key")) for each in entry.findall("relations/relation"))
        begins, ends = (int(times.get(name)) for name in ("gen_time", "exp_time"))
        for each in (begins, ends):
            datetime.fromtimestamp(each, UTC)
        return begins, ends, Holder(cuits, str(entry.get("service")))
    except (etree.LxmlError, ValueError, TypeError, AttributeError, OverflowError, OSError, binascii.Error):
        return None


@lru_cache(maxsize=64)
def _signed(key: RSAPrivateKey, token: str, sign: str) -> bool:
    try:
        key.public_key().verify(base64.b64decode(sign), token.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True

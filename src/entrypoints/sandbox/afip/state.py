"""What the sandbox AFIP remembers: its authority's key, issuers, certificates, tickets given, vouchers, faults to come."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_SCHEMA: Final = """
create table if not exists keeper (name text primary key, value text not null);
create table if not exists issuers (cuit integer primary key, vat_condition text not null);
create table if not exists points (cuit integer, point integer, primary key (cuit, point));
create table if not exists certificates (fingerprint text primary key, cuit integer, alias text, issued text, expires text);
create table if not exists tickets (certificate text, service text, given_at text, primary key (certificate, service));
create table if not exists vouchers (
    cuit integer, point integer, type integer, number integer, cae text not null, day text not null, due text not null,
    processed text not null, body text not null, primary key (cuit, point, type, number)
);
"""
_LIFE: Final = timedelta(days=730)
KINDS: Final = ("cut", "http500", "slow", "error", "refuse")


@frozen(kw_only=True)
class Fault:
    """One failure to come, of one operation or, with `*`, of any.

    cut: the connection ends without an answer. http500: an answer that is no SOAP. slow: the answer takes `seconds`.
    error: `code` in `Errors`, for WSAA a fault of that code. refuse: the voucher is refused with `code`.
    With `after_effect` the operation is done all the same, and only its answer fails.
    """

    kind: str
    operation: str = "*"
    after_effect: bool = False
    code: str = ""
    text: str = "Falla pedida en el sandbox"
    seconds: float = 0.0


@frozen(kw_only=True)
class Voucher:
    """An authorised voucher; `body` is what was sent, as AFIP would write it."""

    cuit: int
    point: int
    type: int
    number: int
    cae: str
    day: str
    due: str
    processed: str
    body: Mapping[str, Any]


class AfipState:
    """One SQLite file, one lock: numbering is atomic and survives a restart. Faults and the moved clock do not."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.offset = timedelta()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("pragma journal_mode = wal;" + _SCHEMA)
        self.ca_key, self.ca_certificate = self._authority()

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self._db.close()

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._db.execute(statement, values).fetchall()

    def _authority(self) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        found = self._rows("select value from keeper where name = 'authority'")
        if found:
            pem = json.loads(found[0][0])
            key = serialization.load_pem_private_key(pem["key"].encode(), password=None)
            if isinstance(key, rsa.RSAPrivateKey):
                return key, x509.load_pem_x509_certificate(pem["certificate"].encode())
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cuadrilla sandbox CA")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + 10 * _LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = {"key": _key_pem(key), "certificate": _certificate_pem(certificate)}
        self._rows("insert into keeper values ('authority', ?)", json.dumps(pem))
        return key, certificate

    def issue_certificate(
        self,
        *,
        cuit: str,
        alias: str,
        points: Sequence[int],
        at: datetime,
        csr: x509.CertificateSigningRequest | None = None,
        vat_condition: str | None = None,
        days: int = _LIFE.days,
    ) -> dict[str, str]:
        """Return a certificate for a CUIT, with its key unless a signing request came, and register points of sale.

        `days` from `at` to its end; below 0 it has expired. Without a VAT condition the issuer may issue every class.
        """
        key = None
        if csr is None:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public: Any = key.public_key()
        else:
            public = csr.public_key()
        subject = [
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"CUIT {cuit}"),
            x509.NameAttribute(NameOID.COMMON_NAME, alias),
        ]
        expires = at + timedelta(days=days)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self.ca_certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(at, expires) - timedelta(days=1))
            .not_valid_after(expires)
            .sign(self.ca_key, hashes.SHA256())
        )
        with self.lock:
            for point in points:
                self._rows("insert or ignore into points values (?, ?)", int(cuit), point)
            if vat_condition is not None:
                self._rows("insert or replace into issuers values (?, ?)", int(cuit), vat_condition)
            self._rows(
                "insert into certificates values (?, ?, ?, ?, ?)",
                certificate.fingerprint(hashes.SHA256()).hex(),
                int(cuit),
                alias,
                at.isoformat(),
                expires.isoformat(),
            )
        answer = {"certificate": _certificate_pem(certificate)}
        return answer if key is None else {**answer, "key": _key_pem(key)}

    def certificates(self) -> list[dict[str, Any]]:
        """Return the certificates given, the newest first, each with its issuer's points of sale and its last ticket."""
        found = self._rows(
            "select c.cuit, c.alias, c.expires, i.vat_condition, (select max(given_at) from tickets where "
            "certificate = c.fingerprint) from certificates c left join issuers i using (cuit) order by c.rowid desc limit 100"
        )
        names = ("cuit", "alias", "expires", "vatCondition", "lastTicketAt")
        return [{**dict(zip(names, row, strict=True)), "points": self.points_of(row[0])} for row in found]

    def vat_condition_of(self, cuit: int) -> str | None:
        """Return the issuer's VAT condition if it is known."""
        found = self._rows("select vat_condition from issuers where cuit = ?", cuit)
        return str(found[0][0]) if found else None

    def points_of(self, cuit: int) -> list[int]:
        """Return the issuer's points of sale for web services."""
        return [row[0] for row in self._rows("select point from points where cuit = ? order by point", cuit)]

    def last(self, cuit: int, point: int, type_: int) -> tuple[int, str]:
        """Return the last number of a series and its date (yyyymmdd), or 0 and nothing."""
        found = self._rows(
            "select number, day from vouchers where cuit = ? and point = ? and type = ? order by number desc limit 1",
            cuit,
            point,
            type_,
        )
        return (found[0][0], found[0][1]) if found else (0, "")

    def series(self) -> list[dict[str, Any]]:
        """Return every series in use with the number that comes next."""
        found = self._rows(
            "select cuit, point, type, max(number) + 1 from vouchers group by cuit, point, type order by cuit, point, type"
        )
        return [dict(zip(("cuit", "point", "type", "next"), row, strict=True)) for row in found]

    def find(self, cuit: int, point: int, type_: int, number: int) -> Voucher | None:
        """Return an authorised voucher, or None."""
        found = self._rows(
            "select * from vouchers where cuit = ? and point = ? and type = ? and number = ?",
            cuit,
            point,
            type_,
            number,
        )
        return _voucher(found[0]) if found else None

    def keep(self, voucher: Voucher) -> None:
        """Store an authorised voucher."""
        self._rows(
            "insert into vouchers values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            voucher.cuit,
            voucher.point,
            voucher.type,
            voucher.number,
            voucher.cae,
            voucher.day,
            voucher.due,
            voucher.processed,
            json.dumps(voucher.body),
        )

    def vouchers(self, *, limit: int = 200) -> list[Voucher]:
        """Return the newest vouchers, the newest first."""
        return [_voucher(row) for row in self._rows("select * from vouchers order by rowid desc limit ?", limit)]

    def ticket_given(self, certificate: str, service: str) -> datetime | None:
        """Return when this certificate last got a ticket."""
        found = self._rows("select given_at from tickets where certificate = ? and service = ?", certificate, service)
        return datetime.fromisoformat(found[0][0]) if found else None

    def note_ticket(self, certificate: str, service: str, at: datetime) -> None:
        """Remember that a ticket was given."""
        self._rows("insert or replace into tickets values (?, ?, ?)", certificate, service, at.isoformat())

    def next_fault(self, operation: str) -> Fault | None:
        """Take the next fault to come for an operation, or None."""
        with self.lock:
            found = next((each for each in self.faults if each.operation in {operation, "*"}), None)
            if found is not None:
                self.faults.remove(found)
            return found


def _voucher(row: Sequence[Any]) -> Voucher:
    names = ("cuit", "point", "type", "number", "cae", "day", "due", "processed")
    return Voucher(**dict(zip(names, row[:8], strict=True)), body=json.loads(row[8]))


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()

"""What the sandbox AFIP remembers: its authority's key, issuers, taxpayers, certificates, tickets given, vouchers, its rules."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from attrs import asdict, evolve, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from entrypoints.sandbox.afip.faults import Faults

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
create table if not exists taxpayers (cuit integer primary key, facts text not null);
create table if not exists caeas (
    cuit integer, period integer, half integer, caea text not null unique, since text not null, until text not null,
    report_by text not null, processed text not null, primary key (cuit, period, half)
);
create table if not exists caea_unused (caea text, point integer, processed text, primary key (caea, point));
"""
_ADDED: Final = (
    ("issuers", "facts", "text not null default '{}'"),
    ("points", "kind", "text not null default 'CAE'"),
    ("points", "blocked", "integer not null default 0"),
    ("certificates", "services", "text not null default '[\"wsfe\"]'"),
    ("certificates", "represents", "text not null default '[]'"),
    ("vouchers", "kind", "text not null default 'CAE'"),
    ("vouchers", "observed", "text not null default '[]'"),
    ("vouchers", "last", "integer not null default 0"),
)
"""Columns that a file of an earlier version lacks."""
_LIFE: Final = timedelta(days=730)
STATUSES: Final = ("active", "inactive", "no_vat", "untrusted", "fictitious", "nonexistent", "deceased")
CONDITIONS: Final = ("responsable_inscripto", "monotributo", "exento")
RECEIVER_CONDITIONS: Final = (*CONDITIONS, "consumidor_final", "no_categorizado")
FCE: Final = ("obligatory", "optional")
POINT_KINDS: Final = ("CAE", "CAEA", "other")


@frozen(kw_only=True)
class Rules:
    """The amounts, dates and rates that laws and the market change; all may be set over the control door.

    `guard_seconds`: for how long WSAA gives no second ticket (ten minutes in homologation, two in production).
    `final_consumer`: from which day (yyyy-mm-dd) which total in pesos obliges to identify the buyer (RG 5700).
    `condition_obligatory_from`: from which day on a missing CondicionIVAReceptorId is refused (RG 5616, manual 4.8).
    `fce_from`: from which total in pesos on an FCE is due. `rates`: pesos for one unit of a currency. `batch`: RegXReq.
    """

    guard_seconds: int = 600
    final_consumer: Mapping[str, str] = field(factory=lambda: {"2025-05-29": "10000000"})
    condition_obligatory_from: str = "2026-12-01"
    fce_from: str = "5549862"
    batch: int = 250
    rates: Mapping[str, str] = field(
        factory=lambda: {
            "DOL": "1480.5",
            "060": "1712.25",
            "012": "275.4",
            "011": "36.9",
            "033": "1.57",
            "021": "1963.8",
        }
    )

    def threshold(self, day: date) -> Decimal:
        """Return the total from which a final consumer must be identified on that day."""
        known = sorted(self.final_consumer.items())
        in_force = [amount for since, amount in known if since <= day.isoformat()] or [known[0][1]]
        return Decimal(in_force[-1])


@frozen(kw_only=True)
class Taxpayer:
    """What the register knows of a CUIT; who is not in it counts as active, and nothing more is known of them."""

    cuit: int
    name: str = ""
    status: str = "active"
    vat_condition: str | None = None
    fce: str | None = None


@frozen(kw_only=True)
class Issuer:
    """What is known of an issuer; without a VAT condition it may issue every class.

    `small`: a MiPyME, which owes large companies an FCE. `class_a_pending`: its habilitation for class A is being looked at.
    `class_a_denied`: it may not issue class A. `category_exceeded`: a monotributista above the last category.
    """

    vat_condition: str | None = None
    small: bool = False
    class_a_pending: bool = False
    class_a_denied: bool = False
    category_exceeded: bool = False
    activities: tuple[int, ...] = ()


@frozen(kw_only=True)
class Point:
    """A point of sale; `kind` CAE and CAEA are for this web service, `other` for other systems."""

    number: int
    kind: str = "CAE"
    blocked: bool = False


@frozen(kw_only=True)
class Voucher:
    """An authorised voucher; `body` is what was sent, as AFIP would write it. `last` is above `number` for a range."""

    cuit: int
    point: int
    type: int
    number: int
    cae: str
    day: str
    due: str
    processed: str
    body: Mapping[str, Any]
    kind: str = "CAE"
    observed: Sequence[Mapping[str, Any]] = ()
    last: int = 0


@frozen(kw_only=True)
class Caea:
    """An authorisation code given in advance for half a month; days as yyyymmdd."""

    cuit: int
    period: int
    half: int
    caea: str
    since: str
    until: str
    report_by: str
    processed: str


class AfipState:
    """One SQLite file, one lock: numbering is atomic and what was answered survives `kill -9` and a restart. Faults do not."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.faults = Faults()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # In WAL a commit is safe from the death of this process without a sync each; only a power cut could take the last ones.
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)
        for table, column, definition in _ADDED:
            if column not in {row[1] for row in self._db.execute(f"pragma table_info({table})")}:
                self._db.execute(f"alter table {table} add column {column} {definition}")
        self.ca_key, self.ca_certificate = self._authority()
        self._offset = timedelta(seconds=float(self._kept("offset") or 0))
        self._rules = Rules(**json.loads(self._kept("rules") or "{}"))

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of it or nothing; nobody else reads or writes meanwhile."""
        with self.lock:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._db.execute(statement, values).fetchall()

    def _kept(self, name: str) -> str | None:
        found = self._rows("select value from keeper where name = ?", name)
        return str(found[0][0]) if found else None

    def _keep(self, name: str, value: str) -> None:
        self._rows("insert or replace into keeper values (?, ?)", name, value)

    @property
    def offset(self) -> timedelta:
        """How far the sandbox's clock is moved."""
        return self._offset

    def move_clock(self, offset: timedelta) -> None:
        """Move the clock, for this run and the next ones."""
        self._keep("offset", str(offset.total_seconds()))
        self._offset = offset

    @property
    def rules(self) -> Rules:
        """The amounts, dates and rates in force."""
        return self._rules

    def set_rules(self, rules: Rules) -> None:
        """Put other amounts, dates and rates in force, for this run and the next ones."""
        self._keep("rules", json.dumps(asdict(rules)))
        self._rules = rules

    def _authority(self) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        found = self._kept("authority")
        if found:
            pem = json.loads(found)
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
        self._keep("authority", json.dumps({"key": _key_pem(key), "certificate": _certificate_pem(certificate)}))
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
        represents: Sequence[str] = (),
        services: Sequence[str] = ("wsfe",),
    ) -> dict[str, str]:
        """Return a certificate for a CUIT, with its key unless a signing request came, and register points of sale.

        `days` from `at` to its end; below 0 it has expired. Without a VAT condition the issuer may issue every class.
        `represents`: other CUITs that delegated to this certificate. `services`: those that it is authorised for.
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
        with self.transaction():
            for point in points:
                self._rows("insert or ignore into points (cuit, point) values (?, ?)", int(cuit), point)
            if vat_condition is not None:
                self.set_issuer(int(cuit), evolve(self.issuer(int(cuit)), vat_condition=vat_condition))
            self._rows(
                "insert into certificates (fingerprint, cuit, alias, issued, expires, services, represents) "
                "values (?, ?, ?, ?, ?, ?, ?)",
                certificate.fingerprint(hashes.SHA256()).hex(),
                int(cuit),
                alias,
                at.isoformat(),
                expires.isoformat(),
                json.dumps(list(services)),
                json.dumps([int(each) for each in represents]),
            )
        answer = {"certificate": _certificate_pem(certificate)}
        return answer if key is None else {**answer, "key": _key_pem(key)}

    def certificates(self) -> list[dict[str, Any]]:
        """Return the certificates given, the newest first, each with its issuer's points of sale and its last ticket."""
        found = self._rows(
            "select c.cuit, c.alias, c.expires, c.fingerprint, c.represents, (select max(given_at) from tickets where "
            "certificate = c.fingerprint) from certificates c order by c.rowid desc limit 100"
        )
        names = ("cuit", "alias", "expires", "fingerprint", "represents", "lastTicketAt")
        return [
            {
                **dict(zip(names, row, strict=True)),
                "represents": json.loads(row[4]),
                "points": self.points(row[0]),
                "vatCondition": self.issuer(row[0]).vat_condition,
            }
            for row in found
        ]

    def delegations(self, fingerprint: str) -> tuple[frozenset[str], tuple[int, ...]] | None:
        """Return the services that a certificate is authorised for, and whom it represents besides its own CUIT."""
        found = self._rows("select services, represents from certificates where fingerprint = ?", fingerprint)
        return (frozenset(json.loads(found[0][0])), tuple(json.loads(found[0][1]))) if found else None

    def issuer(self, cuit: int) -> Issuer:
        """Return what is known of an issuer."""
        found = self._rows("select vat_condition, facts from issuers where cuit = ?", cuit)
        if not found:
            return Issuer()
        facts = json.loads(found[0][1])
        return Issuer(vat_condition=found[0][0] or None, **{**facts, "activities": tuple(facts.get("activities", ()))})

    def set_issuer(self, cuit: int, issuer: Issuer) -> None:
        """Know this of an issuer from now on."""
        facts = asdict(issuer, filter=lambda attribute, _: attribute.name != "vat_condition")
        self._rows(
            "insert or replace into issuers values (?, ?, ?)", cuit, issuer.vat_condition or "", json.dumps(facts)
        )

    def taxpayer(self, cuit: int) -> Taxpayer | None:
        """Return what the register has of a CUIT, or None."""
        found = self._rows("select facts from taxpayers where cuit = ?", cuit)
        return Taxpayer(cuit=cuit, **json.loads(found[0][0])) if found else None

    def register(self, taxpayer: Taxpayer) -> None:
        """Enter a CUIT into the register, in the place of what was there."""
        facts = asdict(taxpayer, filter=lambda attribute, _: attribute.name != "cuit")
        self._rows("insert or replace into taxpayers values (?, ?)", taxpayer.cuit, json.dumps(facts))

    def taxpayers(self) -> list[Taxpayer]:
        """Return the register."""
        found = self._rows("select cuit, facts from taxpayers order by cuit limit 1000")
        return [Taxpayer(cuit=row[0], **json.loads(row[1])) for row in found]

    def points(self, cuit: int) -> list[Point]:
        """Return all the issuer's points of sale."""
        found = self._rows("select point, kind, blocked from points where cuit = ? order by point", cuit)
        return [Point(number=row[0], kind=row[1], blocked=bool(row[2])) for row in found]

    def set_point(self, cuit: int, point: Point) -> None:
        """Open or change a point of sale."""
        self._rows("insert or replace into points values (?, ?, ?, ?)", cuit, point.number, point.kind, point.blocked)

    def usable(self, cuit: int, point: int, kind: str) -> bool:
        """Whether a point of sale is of that kind and not blocked."""
        found = self._rows("select kind, blocked from points where cuit = ? and point = ?", cuit, point)
        return bool(found) and found[0] == (kind, 0)

    def last(self, cuit: int, point: int, type_: int) -> tuple[int, str]:
        """Return the last number of a series and its date (yyyymmdd), or 0 and nothing."""
        found = self._rows(
            "select max(number, last), day from vouchers where cuit = ? and point = ? and type = ? "
            "order by number desc limit 1",
            cuit,
            point,
            type_,
        )
        return (found[0][0], found[0][1]) if found else (0, "")

    def series(self) -> list[dict[str, Any]]:
        """Return every series in use with the number that comes next."""
        found = self._rows(
            "select cuit, point, type, max(max(number, last)) + 1 from vouchers group by cuit, point, type "
            "order by cuit, point, type"
        )
        return [dict(zip(("cuit", "point", "type", "next"), row, strict=True)) for row in found]

    def find(self, cuit: int, point: int, type_: int, number: int) -> Voucher | None:
        """Return an authorised voucher, which may be part of a range, or None."""
        if abs(number) >= 2**63:
            return None
        found = self._rows(
            "select * from vouchers where cuit = ? and point = ? and type = ? and number <= ? order by number desc limit 1",
            cuit,
            point,
            type_,
            number,
        )
        nearest = _voucher(found[0]) if found else None
        return nearest if nearest is not None and number <= max(nearest.number, nearest.last) else None

    def keep(self, voucher: Voucher) -> None:
        """Store an authorised voucher."""
        self._rows(
            "insert into vouchers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            voucher.cuit,
            voucher.point,
            voucher.type,
            voucher.number,
            voucher.cae,
            voucher.day,
            voucher.due,
            voucher.processed,
            json.dumps(voucher.body),
            voucher.kind,
            json.dumps(list(voucher.observed)),
            voucher.last,
        )

    def vouchers(self, *, limit: int = 200, after: int = 0) -> list[Voucher]:
        """Return the newest vouchers, the newest first, but for the first `after`."""
        return [
            _voucher(row)
            for row in self._rows("select * from vouchers order by rowid desc limit ? offset ?", limit, after)
        ]

    def count(self) -> int:
        """Return how many vouchers there are."""
        return int(self._rows("select count(*) from vouchers")[0][0])

    def caea(self, cuit: int, period: int, half: int) -> Caea | None:
        """Return the code given for half a month, or None."""
        return self._caea("cuit = ? and period = ? and half = ?", cuit, period, half)

    def caea_named(self, cuit: int, caea: str) -> Caea | None:
        """Return what is known of a code, or None if it was not given to this issuer."""
        return self._caea("cuit = ? and caea = ?", cuit, caea)

    def _caea(self, condition: str, *values: object) -> Caea | None:
        names = ("cuit", "period", "half", "caea", "since", "until", "report_by", "processed")
        # The condition is one of the two above.
        found = self._rows(f"select {', '.join(names)} from caeas where {condition}", *values)  # noqa: S608
        return Caea(**dict(zip(names, found[0], strict=True))) if found else None

    def give_caea(self, caea: Caea) -> None:
        """Store a code that was given."""
        self._rows("insert into caeas values (?, ?, ?, ?, ?, ?, ?, ?)", *asdict(caea).values())

    def caea_used(self, cuit: int, caea: str, point: int) -> bool:
        """Whether a voucher with this code was reported from a point of sale."""
        return bool(
            self._rows(
                "select 1 from vouchers where cuit = ? and point = ? and kind = 'CAEA' and cae = ? limit 1",
                cuit,
                point,
                caea,
            )
        )

    def note_unused(self, caea: str, point: int, processed: str) -> None:
        """Remember that a code was not used at a point of sale."""
        self._rows("insert or ignore into caea_unused values (?, ?, ?)", caea, point, processed)

    def unused(self, caea: str, point: int) -> list[tuple[int, str]]:
        """Return the points of sale (all for 0) reported without use of a code, each with the moment."""
        return [
            (row[0], row[1])
            for row in self._rows(
                "select point, processed from caea_unused where caea = ? and ? in (0, point) order by point",
                caea,
                point,
            )
        ]

    def ticket_given(self, certificate: str, service: str) -> datetime | None:
        """Return when this certificate last got a ticket."""
        found = self._rows("select given_at from tickets where certificate = ? and service = ?", certificate, service)
        return datetime.fromisoformat(found[0][0]) if found else None

    def note_ticket(self, certificate: str, service: str, at: datetime) -> None:
        """Remember that a ticket was given."""
        self._rows("insert or replace into tickets values (?, ?, ?)", certificate, service, at.isoformat())


def _voucher(row: Sequence[Any]) -> Voucher:
    names = ("cuit", "point", "type", "number", "cae", "day", "due", "processed")
    return Voucher(
        **dict(zip(names, row[:8], strict=True)),
        body=json.loads(row[8]),
        kind=row[9],
        observed=json.loads(row[10]),
        last=row[11],
    )


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()

"""What may be ordered of the sandbox AFIP over its control door, read from JSON or from a form of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from entrypoints.sandbox.afip import wsfe
from entrypoints.sandbox.afip.faults import KINDS, Fault
from entrypoints.sandbox.afip.rules import is_cuit
from entrypoints.sandbox.afip.state import (
    CONDITIONS,
    FCE,
    POINT_KINDS,
    RECEIVER_CONDITIONS,
    STATUSES,
    Issuer,
    Point,
    Rules,
    Taxpayer,
)
from entrypoints.sandbox.afip.tables import CURRENCIES
from entrypoints.sandbox.afip.wsaa import ARGENTINA, SERVICES

_SLOWEST: Final = 120.0
_MANY: Final = 1_000_000


class NotUnderstood(Exception):
    """What was asked of the control door makes no sense."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field} must be {rule}")


def fault_order(wanted: Mapping[str, Any]) -> Fault:
    """Read an order for a failure; raise `NotUnderstood`."""
    kind, operation = str(wanted.get("kind", "")), str(wanted.get("operation") or "*")
    code = str(wanted.get("code") or "")
    if kind not in KINDS:
        raise NotUnderstood("kind", f"one of {', '.join(KINDS)}")
    if operation not in {"*", "loginCms", *wsfe.operations()}:
        raise NotUnderstood("operation", "one that exists, or *")
    if kind == "refuse" and operation != "FECAESolicitar":
        raise NotUnderstood("operation", "FECAESolicitar, which alone refuses vouchers")
    if kind == "expired_token" and operation in {"loginCms", "FEDummy"}:
        raise NotUnderstood("operation", "one that takes a token")
    if kind in {"error", "refuse"} and operation != "loginCms" and not re.fullmatch(r"[0-9]{1,9}", code):
        raise NotUnderstood("code", "a number")
    if kind == "error" and operation == "loginCms" and not re.fullmatch(r"[A-Za-z.]{3,60}", code):
        raise NotUnderstood("code", "a code of WSAA, such as wsaa.unavailable")
    effect = wanted.get("after_effect", wanted.get("afterEffect", ""))
    said = _line(wanted.get("text"), 500)
    calls = wanted.get("calls", 1)
    return Fault(
        kind=kind,
        operation=operation,
        after_effect=str(effect).lower() in {"true", "1", "on"},
        code=code,
        seconds=_number(wanted, "seconds", 0.0, lowest=0, highest=_SLOWEST, kind=float),
        status=_number(wanted, "status", 500, lowest=500, highest=599, kind=int),
        calls=None if calls in (None, "") else _number(wanted, "calls", 1, lowest=1, highest=_MANY, kind=int),
        probability=_number(wanted, "probability", 1.0, lowest=0, highest=1, kind=float),
        seed=_number(wanted, "seed", 0, lowest=0, highest=2**63, kind=int),
        **({"text": said} if said else {}),
    )


def certificate_order(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Read an order for a certificate; raise `NotUnderstood`."""
    cuit, points = _eleven(wanted.get("cuit")), wanted.get("points", [1])
    if not isinstance(points, list) or not all(type(each) is int and 1 <= each <= 99_998 for each in points):
        raise NotUnderstood("points", "a list of numbers between 1 and 99998")
    days = wanted.get("days", 730)
    if type(days) is not int or not -3650 <= days <= 3650:
        raise NotUnderstood("days", "a number between -3650 and 3650")
    represents, services = wanted.get("represents", []), wanted.get("services", ["wsfe"])
    if not isinstance(represents, list) or not all(re.fullmatch(r"[0-9]{11}", str(each)) for each in represents):
        raise NotUnderstood("represents", "a list of CUITs of eleven digits")
    if not isinstance(services, list) or not SERVICES.issuperset(map(str, services)):
        raise NotUnderstood("services", f"a list of {', '.join(sorted(SERVICES))}")
    csr = None
    if wanted.get("csr") is not None:
        try:
            csr = x509.load_pem_x509_csr(str(wanted["csr"]).encode())
        except ValueError as broken:
            raise NotUnderstood("csr", "a signing request in PEM") from broken
        if not csr.is_signature_valid or not isinstance(csr.public_key(), RSAPublicKey):
            raise NotUnderstood("csr", "signed with the RSA key that it is for")
    return {
        "cuit": cuit,
        "alias": _line(wanted.get("alias"), 64) or "cuadrilla",
        "points": points,
        "csr": csr,
        "vat_condition": _one_of(wanted, "vatCondition", CONDITIONS),
        "days": days,
        "represents": [str(each) for each in represents],
        "services": [str(each) for each in services],
    }


def clock_order(wanted: Mapping[str, Any], *, real: datetime) -> timedelta:
    """Read how far the clock is to be moved: by `offsetSeconds`, or to the moment `at` (ISO 8601, Argentine time if it says none)."""
    try:
        if wanted.get("at"):
            at = datetime.fromisoformat(str(wanted["at"]))
            return (at if at.tzinfo else at.replace(tzinfo=ARGENTINA)) - real
        offset = timedelta(seconds=float(wanted.get("offsetSeconds", 0)))
        _ = real + offset
    except (TypeError, ValueError, OverflowError) as broken:
        field, rule = (
            ("at", "a moment as of ISO 8601") if wanted.get("at") else ("offsetSeconds", "a number of seconds")
        )
        raise NotUnderstood(field, rule) from broken
    return offset


def rules_order(wanted: Mapping[str, Any], *, now: Rules) -> Rules:
    """Read which amounts, dates and rates change; what is not named stays."""
    known: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "guardSeconds": ("guard_seconds", lambda value: _in(int(value), 0, 86_400)),
        "batch": ("batch", lambda value: _in(int(value), 1, 9_998)),
        "conditionObligatoryFrom": ("condition_obligatory_from", lambda value: date.fromisoformat(value).isoformat()),
        "fceFrom": ("fce_from", _positive),
        "finalConsumer": (
            "final_consumer",
            lambda value: {date.fromisoformat(day).isoformat(): _positive(amount) for day, amount in value.items()},
        ),
        "rates": (
            "rates",
            lambda value: {**now.rates, **{_currency(name): _positive(rate) for name, rate in value.items()}},
        ),
    }
    changes: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in known:
            raise NotUnderstood(name, f"one of {', '.join(known)}")
        attribute, read = known[name]
        try:
            changes[attribute] = read(value)
        except (TypeError, ValueError, AttributeError, InvalidOperation) as broken:
            raise NotUnderstood(name, "a date (yyyy-mm-dd), an amount, or a table of them, as it is shown") from broken
    if changes.get("final_consumer") == {}:
        raise NotUnderstood("finalConsumer", "at least one day with its amount")
    return evolve(now, **changes)


def taxpayer_order(wanted: Mapping[str, Any]) -> Taxpayer:
    """Read an entry of the register."""
    cuit = int(_eleven(wanted.get("cuit")))
    if not is_cuit(cuit):
        raise NotUnderstood("cuit", "eleven digits, the last of which checks the others")
    return Taxpayer(
        cuit=cuit,
        name=_line(wanted.get("name"), 120),
        status=_one_of(wanted, "status", STATUSES) or "active",
        vat_condition=_one_of(wanted, "vatCondition", RECEIVER_CONDITIONS),
        fce=_one_of(wanted, "fce", FCE),
    )


def issuer_order(wanted: Mapping[str, Any], *, known: Callable[[int], Issuer]) -> tuple[int, Issuer, list[Point]]:
    """Read what changes of an issuer and of its points of sale; what is not named stays."""
    cuit = int(_eleven(wanted.get("cuit")))
    changes: dict[str, Any] = {}
    if "vatCondition" in wanted:
        changes["vat_condition"] = _one_of(wanted, "vatCondition", CONDITIONS)
    for name, attribute in (
        ("small", "small"),
        ("classAPending", "class_a_pending"),
        ("classADenied", "class_a_denied"),
        ("categoryExceeded", "category_exceeded"),
    ):
        if name in wanted:
            if type(wanted[name]) is not bool:
                raise NotUnderstood(name, "true or false")
            changes[attribute] = wanted[name]
    if "activities" in wanted:
        activities = wanted["activities"]
        if not isinstance(activities, list) or not all(type(each) is int and 0 < each < 10**9 for each in activities):
            raise NotUnderstood("activities", "a list of numbers")
        changes["activities"] = tuple(activities)
    points = wanted.get("points", [])
    if not isinstance(points, list):
        raise NotUnderstood("points", "a list")
    return cuit, evolve(known(cuit), **changes), [_point(each) for each in points]


def _point(wanted: Any) -> Point:
    if not isinstance(wanted, Mapping) or type(wanted.get("number")) is not int or not 1 <= wanted["number"] <= 99_998:
        raise NotUnderstood("points", 'objects such as {"number": 3, "kind": "CAE", "blocked": false}')
    return Point(
        number=wanted["number"],
        kind=_one_of(wanted, "kind", POINT_KINDS) or "CAE",
        blocked=wanted.get("blocked") is True,
    )


def _eleven(value: Any) -> str:
    if not re.fullmatch(r"[0-9]{11}", str(value or "")):
        raise NotUnderstood("cuit", "eleven digits")
    return str(value)


def _one_of(wanted: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str | None:
    value = wanted.get(name)
    if value in (None, ""):
        return None
    if value not in known:
        raise NotUnderstood(name, f"one of {', '.join(known)}")
    return str(value)


def _number(
    wanted: Mapping[str, Any], name: str, default: Any, *, lowest: float, highest: float, kind: type[int | float]
) -> Any:
    value = wanted.get(name)
    try:
        read = default if value in (None, "") else kind(str(value))
    except ValueError as broken:
        raise NotUnderstood(name, "a number") from broken
    if not lowest <= read <= highest:
        raise NotUnderstood(name, f"between {lowest:g} and {highest:g}")
    return read


def _line(value: Any, longest: int) -> str:
    return "".join(letter for letter in str(value or "") if letter.isprintable())[:longest]


def _in(number: int, lowest: int, highest: int) -> int:
    if not lowest <= number <= highest:
        raise ValueError(number)
    return number


def _positive(value: Any) -> str:
    amount = Decimal(str(value))
    if not amount.is_finite() or not 0 < amount < 10**13:
        raise ValueError(value)
    return f"{amount:f}"


def _currency(name: str) -> str:
    if name not in CURRENCIES or name == "PES":
        raise ValueError(name)
    return name

"""The tables of a phone: which columns they have, what fits in them, and who may write them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from attrs import frozen

from core.kernel.errors import Invalid
from core.kernel.time import utc
from core.offline.model import Value


class Unfit(ValueError):
    """A value that a column cannot take; the message says why, in Spanish."""


@frozen(kw_only=True)
class Column:
    """A column: `stamp` is the stored field that holds it; `critical` ones are never decided without asking."""

    fits: Callable[[object], Value]
    writable: bool = False
    critical: bool = False
    stamp: str | None = None


Table: TypeAlias = Mapping[str, Column]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _text(at_most: int) -> Callable[[object], Value]:
    def fits(value: object) -> Value:
        if value is None:
            return ""
        if not isinstance(value, str):
            msg = "tiene que ser texto"
            raise Unfit(msg)
        if len(value) > at_most:
            msg = f"tiene más de {at_most} caracteres"
            raise Unfit(msg)
        # JavaScript cuts characters in halves and sends them; a phone that has one could never send anything again.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")

    return fits


def _number(least: float, most: float) -> Callable[[object], Value]:
    def fits(value: object) -> Value:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            msg = "tiene que ser un número"
            raise Unfit(msg)
        if not least <= value <= most:
            msg = f"tiene que estar entre {least:g} y {most:g}"
            raise Unfit(msg)
        return value

    return fits


def _whole(value: object) -> Value:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:  # noqa: PLR2004
        msg = "tiene que ser un número entero"
        raise Unfit(msg)
    return value


def _decimal(value: object) -> Value:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    try:
        number = Decimal(value) if isinstance(value, str) and len(value) <= 40 else Decimal("NaN")  # noqa: PLR2004
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not -20 <= number.adjusted() <= 20:  # noqa: PLR2004 - no sane amount lies beyond
        msg = "tiene que ser un número decimal"
        raise Unfit(msg)
    return f"{number:f}"


def _instant(value: object) -> Value:
    """Take an instant, its text (ISO 8601) or the milliseconds since 1970 that WatermelonDB keeps."""
    try:
        if isinstance(value, datetime):
            return utc(value)
        if isinstance(value, str):
            return utc(datetime.fromisoformat(value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _EPOCH + timedelta(milliseconds=value)
    except (ValueError, OverflowError, Invalid):
        pass
    if value is None:
        return None
    msg = "tiene que ser una fecha con hora"
    raise Unfit(msg)


_SHORT, _LONG = _text(300), _text(5000)
_ID = _text(100)


def _read(stamp: str | None = None, *, critical: bool = False) -> Column:
    return Column(fits=_LONG, stamp=stamp, critical=critical)


TABLES: Final[Mapping[str, Table]] = {
    "jobs": {
        "status": Column(fits=_SHORT, writable=True, critical=True, stamp="status"),
        "title": Column(fits=_SHORT, writable=True, stamp="title"),
        "notes": Column(fits=_LONG, writable=True, stamp="notes"),
        "report": Column(fits=_LONG, writable=True, stamp="report"),
        "address": Column(fits=_SHORT, writable=True, stamp="place"),
        "lat": Column(fits=_number(-90, 90), writable=True, stamp="place"),
        "lng": Column(fits=_number(-180, 180), writable=True, stamp="place"),
        "request": _read("wish"),
        "urgency": _read("wish"),
        "customer_id": _read("customer_id"),
        "technician_id": _read("technician_id"),
        "starts_at": Column(fits=_instant, stamp="starts_at"),
        "ends_at": Column(fits=_instant, stamp="ends_at"),
        "total": _read("lines", critical=True),
        "currency": _read("currency"),
        "signed_by": _read("signature", critical=True),
        "signature_id": _read("signature", critical=True),
        "invoice_id": _read("invoice_id"),
    },
    "customers": {
        "name": Column(fits=_SHORT, writable=True, stamp="name"),
        "phone": Column(fits=_SHORT, writable=True, stamp="phone"),
        "address": Column(fits=_SHORT, writable=True, stamp="address"),
        "vat_condition": Column(fits=_SHORT, writable=True, stamp="vat_condition"),
        "document_type": Column(fits=_SHORT, writable=True, stamp="document_type"),
        "document_number": Column(fits=_SHORT, writable=True, stamp="document_number"),
    },
    "line_items": {
        "job_id": Column(fits=_ID),
        "place": Column(fits=_whole, writable=True, stamp="place"),
        "description": Column(fits=_SHORT, writable=True, stamp="description"),
        "quantity": Column(fits=_decimal, writable=True, stamp="quantity"),
        "unit_price": Column(fits=_decimal, writable=True, stamp="unit_price"),
        "discount": Column(fits=_decimal, writable=True, stamp="discount"),
        "vat_rate": Column(fits=_decimal, writable=True, stamp="vat_rate"),
        "treatment": Column(fits=_SHORT, writable=True, stamp="treatment"),
    },
    "photos": {
        "job_id": Column(fits=_ID),
        "media_id": Column(fits=_ID, writable=True, stamp="media_id"),
        "taken_at": Column(fits=_instant, writable=True, stamp="taken_at"),
        "content_type": _read(),
        "size": Column(fits=_number(0, 1e12)),
    },
    "positions": {
        "job_id": Column(fits=_ID, writable=True),
        "lat": Column(fits=_number(-90, 90), writable=True),
        "lng": Column(fits=_number(-180, 180), writable=True),
        "accuracy": Column(fits=_number(0, 1e6), writable=True),
        "speed": Column(fits=_number(0, 1e3), writable=True),
        "heading": Column(fits=_number(0, 360), writable=True),
        "recorded_at": Column(fits=_instant, writable=True),
    },
}
"""Every table of a phone by its name. Positions go up and never come back."""
PRIVATE: Final = frozenset({"vat_condition", "document_type", "document_number"})
"""What of a customer is for those who may read customers, not for whoever goes there."""

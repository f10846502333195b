"""Between JSON and attrs classes: camelCase outside, strict types, decimals as strings, instants with `Z`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

import attrs
import msgspec
from cattrs import Converter
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from entrypoints.http.problems import Malformed

_T = TypeVar("_T")
_DIGITS_AT_MOST: Final = 40


@attrs.frozen
class Attempt(Generic[_T]):
    """One of many, which is read or refused by itself: the others are not concerned."""

    read: _T | None = None
    refused: Malformed | None = None


class Unfit(ValueError):
    """A value of the wrong type; the message is for the sender."""


def camel(name: str) -> str:
    """Return `starts_at` as `startsAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _exactly(wanted: type[_T], what: str) -> Callable[[Any, Any], _T]:
    def hook(value: Any, _: Any) -> _T:
        if type(value) is not wanted:
            msg = f"must be {what}"
            raise Unfit(msg)
        return value

    return hook


def _decimal(value: Any, _: Any) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > _DIGITS_AT_MOST:
        msg = 'must be a decimal in quotes, as in "24580.00"'
        raise Unfit(msg)
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not -20 <= number.adjusted() <= 20:  # noqa: PLR2004 - no sane amount lies beyond
        msg = 'must be a decimal in quotes, as in "24580.00"'
        raise Unfit(msg)
    return number


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e15:  # noqa: PLR2004
        msg = "must be a number"
        raise Unfit(msg)
    return float(value)


def _instant(value: Any, _: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    msg = "must be an ISO 8601 time with its zone, as in 2026-11-21T14:30:00Z"
    raise Unfit(msg)


def _day(value: Any, _: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        msg = "must be an ISO 8601 day, as in 2026-11-21"
        raise Unfit(msg) from None


def _renamed(cls: Any) -> dict[str, Any]:
    return {each.name: override(rename=camel(each.name)) for each in attrs.fields(cls)}


def _is_attempt(of: Any) -> bool:
    return get_origin(of) is Attempt


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _exactly(str, "text"))
    converter.register_structure_hook(int, _exactly(int, "a whole number"))
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(datetime, _instant)
    converter.register_structure_hook(date, _day)
    converter.register_structure_hook_factory(
        attrs.has, lambda cls: make_dict_structure_fn(cls, converter, **_renamed(cls))
    )
    converter.register_unstructure_hook_factory(
        attrs.has, lambda cls: make_dict_unstructure_fn(cls, converter, **_renamed(cls))
    )
    converter.register_structure_hook_func(_is_attempt, lambda value, of: _attempt(value, get_args(of)[0]))
    for passed_through in (datetime, date, Decimal):
        converter.register_unstructure_hook(passed_through, lambda value: value)
    return converter


_CONVERTER: Final = _converter()


def decode(body: bytes, wanted: type[_T]) -> _T:
    """Read a JSON body as the class; raise `Malformed` naming the field, as the sender spelt it.

    NaN and infinities are not JSON, but phones send them; they are refused where they stand, beside what else was sent if the class
    is `FORGIVING`.
    """
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
        data = _almost(body)
        if isinstance(data, dict):
            read = structure(data, wanted)
            if getattr(wanted, "FORGIVING", False):
                return read
        msg = "the body is not JSON"
        raise Malformed(msg) from broken
    if not isinstance(data, dict):
        msg = "the body must be a JSON object"
        raise Malformed(msg)
    return structure(data, wanted)


def structure(data: dict[str, Any], wanted: type[_T]) -> _T:
    """Read decoded JSON as the class; raise `Malformed` naming the field."""
    try:
        return _CONVERTER.structure(data, wanted)
    except (ClassValidationError, IterableValidationError, ForbiddenExtraKeysError) as wrong:
        field, what = _first(wrong)
        msg = f"{field} {what}" if field else what
        raise Malformed(msg, field=field or None) from wrong


def _almost(body: bytes) -> Any:
    """Return the body if nothing but its numbers keeps it from being JSON, and something that fits nowhere in their place."""
    try:
        return json.loads(body, parse_constant=lambda _: ...)
    except (ValueError, RecursionError):
        return None


def _attempt(value: Any, wanted: type[_T]) -> Attempt[_T]:
    if not isinstance(value, dict):
        return Attempt(refused=Malformed("must be a JSON object"))
    try:
        return Attempt(structure(value, wanted))
    except Malformed as malformed:
        return Attempt(refused=malformed)


def encode(answer: object) -> bytes:
    """Write an attrs object, or plain data with some inside, as JSON."""
    return msgspec.json.encode(_CONVERTER.unstructure(answer))


def plain(answer: object) -> Any:
    """Return an attrs object as plain data in the wire's spelling."""
    return _CONVERTER.unstructure(answer)


def _first(error: BaseException) -> tuple[str, str]:
    """Return the path, in the wire's spelling, and the complaint of the first thing that is wrong."""
    if isinstance(error, ForbiddenExtraKeysError):
        return ", ".join(sorted(error.extra_fields)), "is not a field of this request"
    if isinstance(error, ClassValidationError):
        for inner, note in error.group_exceptions()[0]:
            path, what = _first(inner)
            return ".".join(filter(None, (camel(note.name), path))), what
        for inner in error.group_exceptions()[1]:
            return _first(inner)
    if isinstance(error, IterableValidationError):
        for inner, place in error.group_exceptions()[0]:
            path, what = _first(inner)
            return ".".join(filter(None, (str(place.index), path))), what
    if isinstance(error, KeyError):
        return "", "is missing"
    if isinstance(error, Unfit):
        return "", str(error)
    return "", "does not have the right shape"


def schema(of: Any, *, parts: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a type as it stands on the wire; attrs classes go to `parts` by name."""
    import types  # noqa: PLC0415 - only the OpenAPI document needs typing's insides
    from typing import Union  # noqa: PLC0415

    origin, args = get_origin(of), get_args(of)
    if origin is Attempt:
        return schema(args[0], parts=parts)
    if origin in (Union, types.UnionType):
        inner = [schema(arg, parts=parts) for arg in args if arg is not type(None)]
        return {"anyOf": [*inner, {"type": "null"}]} if type(None) in args else {"anyOf": inner}
    if origin in (tuple, list):
        return {"type": "array", "items": schema(args[0], parts=parts)}
    if origin is dict or of is dict:
        return {"type": "object"}
    if isinstance(of, type) and attrs.has(of):
        if of.__name__ not in parts:
            parts[of.__name__] = {}
            hints = get_type_hints(of)
            fields = attrs.fields(of)
            parts[of.__name__] = {
                "type": "object",
                "description": (of.__doc__ or "").strip().split("\n")[0],
                "properties": {camel(f.name): schema(hints[f.name], parts=parts) for f in fields},
                "required": [camel(f.name) for f in fields if f.default is attrs.NOTHING],
            }
        return {"$ref": f"#/components/schemas/{of.__name__}"}
    simple: dict[Any, dict[str, Any]] = {
        str: {"type": "string"},
        int: {"type": "integer"},
        float: {"type": "number"},
        bool: {"type": "boolean"},
        Decimal: {"type": "string", "format": "decimal", "examples": ["24580.00"]},
        datetime: {"type": "string", "format": "date-time"},
        date: {"type": "string", "format": "date"},
    }
    return simple.get(of, {})

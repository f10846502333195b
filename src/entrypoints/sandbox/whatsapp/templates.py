"""Message templates: what may be declared, and what a message made from one must bring."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from entrypoints.sandbox.whatsapp.model import Template
from entrypoints.sandbox.whatsapp.refusals import Refused

CATEGORIES: Final = frozenset({"AUTHENTICATION", "MARKETING", "UTILITY"})
_NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Z]{2,3})?")
_GAP: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_FORMATS: Final = frozenset({"TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION"})
_PARTS: Final = frozenset({"HEADER", "BODY", "FOOTER", "BUTTONS"})
_BUTTONS: Final = frozenset({"URL", "QUICK_REPLY", "PHONE_NUMBER", "COPY_CODE", "OTP"})
_AT_MOST: Final = {"HEADER": 60, "BODY": 1024, "FOOTER": 60}
_BUTTONS_AT_MOST, _BUTTON_AT_MOST = 10, 25
_OTP_BODY: Final = "{{1}} es tu código de verificación."
_OTP_WARNING: Final = " Por tu seguridad, no lo compartas."
_OTP_FOOTER: Final = "Este código vence en {} minutos."
_OTP_TYPES: Final = frozenset({"COPY_CODE", "ONE_TAP", "ZERO_TAP"})
_OTP_LIFE: Final = range(1, 91)
_OTP_LONGEST: Final = 15


@frozen(kw_only=True)
class Declared:
    """A template that may be created."""

    name: str
    language: str
    category: str
    components: list[Mapping[str, Any]]


def gaps(text: str) -> list[str]:
    """Return the names or numbers of a text's gaps, each once, in their order."""
    return list(dict.fromkeys(_GAP.findall(text)))


def declared(body: Any) -> Declared:
    """Return what a creation request asks for; raise `Refused` as the API does."""
    body = body if isinstance(body, dict) else {}
    name, language, category = (str(body.get(key) or "") for key in ("name", "language", "category"))
    if not _NAME.fullmatch(name):
        raise Refused(100, "name: lower-case letters, digits and underscores, at most 512", subcode=2388025)
    if not _LANGUAGE.fullmatch(language):
        raise Refused(100, "language: a code such as es_AR", subcode=2388026)
    if category.upper() not in CATEGORIES:
        raise Refused(100, f"category must be one of {', '.join(sorted(CATEGORIES))}")
    components = body.get("components")
    if not isinstance(components, list) or not all(isinstance(each, dict) for each in components):
        raise Refused(100, "The parameter components is required.")
    parts = {_kind(each): each for each in components}
    if len(parts) != len(components) or not parts.keys() <= _PARTS or "BODY" not in parts:
        raise Refused(100, "components: one BODY, and at most one HEADER, FOOTER and BUTTONS")
    buttons = parts.get("BUTTONS", {"buttons": []}).get("buttons")
    if category.upper() == "AUTHENTICATION":
        _check_otp(parts, buttons)
    else:
        _check_text(parts["BODY"], "BODY")
        if "FOOTER" in parts:
            _check_text(parts["FOOTER"], "FOOTER")
        if "HEADER" in parts:
            _check_header(parts["HEADER"])
        _check_buttons(buttons)
    return Declared(name=name, language=language, category=category.upper(), components=components)


def _check_otp(parts: Mapping[str, Mapping[str, Any]], buttons: Any) -> None:
    """Meta writes the words of an authentication template; the business only chooses among its parts."""
    body, footer = parts["BODY"], parts.get("FOOTER", {})
    if "HEADER" in parts or "text" in body or "text" in footer:
        raise Refused(100, "authentication: no header, and no text of one's own", subcode=2388042)
    if not isinstance(body.get("add_security_recommendation", False), bool):
        raise Refused(100, "body: add_security_recommendation must be true or false")
    if "FOOTER" in parts and _minutes(footer) not in _OTP_LIFE:
        raise Refused(100, f"footer: code_expiration_minutes from {_OTP_LIFE[0]} to {_OTP_LIFE[-1]}")
    button = buttons[0] if isinstance(buttons, list) and len(buttons) == 1 and isinstance(buttons[0], dict) else {}
    if _kind(button) != "OTP" or str(button.get("otp_type") or "").upper() not in _OTP_TYPES:
        raise Refused(100, "authentication: exactly one button of type OTP, with its otp_type", subcode=2388042)
    title = button.get("text", "")
    if not isinstance(title, str) or len(title) > _BUTTON_AT_MOST:
        raise Refused(100, f"buttons: a text of at most {_BUTTON_AT_MOST} characters")


def _minutes(footer: Mapping[str, Any]) -> int | None:
    value = footer.get("code_expiration_minutes")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("format") not in _FORMATS:
        raise Refused(100, f"header: format must be one of {', '.join(sorted(_FORMATS))}")
    if header["format"] == "TEXT":
        _check_text(header, "HEADER")


def _check_text(component: Mapping[str, Any], part: str) -> None:
    text = component.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > _AT_MOST[part]:
        raise Refused(100, f"{part.lower()}: a text of 1 to {_AT_MOST[part]} characters")
    names = gaps(text)
    if not names:
        return
    if part == "FOOTER":
        raise Refused(100, "footer: variables are not allowed")
    numbered = [name.isdigit() for name in names]
    if any(numbered) and [str(n) for n in range(1, len(names) + 1)] != sorted(
        names, key=lambda n: int(n) if n.isdigit() else 0
    ):
        raise Refused(
            100, f"{part.lower()}: variables must be {{{{1}}}}, {{{{2}}}} and so on, without a hole", subcode=2388072
        )
    if text.strip().startswith("{{") or text.strip().endswith("}}"):
        raise Refused(100, f"{part.lower()}: variables can't be at the start or end of the template", subcode=2388299)
    if len(_examples(component, part)) != len(names):
        raise Refused(100, f"{part.lower()}: an example for each variable is required", subcode=2388043)


def _examples(component: Mapping[str, Any], part: str) -> Sequence[Any]:
    example = component.get("example")
    example = example if isinstance(example, dict) else {}
    named = example.get(f"{part.lower()}_text_named_params")
    if isinstance(named, list):
        return named
    given = example.get(f"{part.lower()}_text")
    given = given[0] if isinstance(given, list) and given and isinstance(given[0], list) else given
    return given if isinstance(given, list) else []


def _check_buttons(buttons: Any) -> None:
    if not isinstance(buttons, list) or len(buttons) > _BUTTONS_AT_MOST:
        raise Refused(100, f"buttons: a list of at most {_BUTTONS_AT_MOST}")
    for button in buttons:
        if not isinstance(button, dict) or _kind(button) not in _BUTTONS:
            raise Refused(100, f"buttons: type must be one of {', '.join(sorted(_BUTTONS))}")
        if _kind(button) == "URL":
            url = button.get("url")
            if not isinstance(url, str) or not url.startswith(("http://", "https://")):
                raise Refused(100, "buttons: url must be an http(s) address")
            if gaps(url) and (gaps(url) != ["1"] or not url.endswith("}}") or not button.get("example")):
                raise Refused(100, "buttons: a url takes one variable {{1}}, at its end, with an example")


def filled(template: Template, components: Any) -> dict[str, Any]:
    """Return what a message from a template shows; raise `Refused` when its parameters do not fit."""
    given = components if isinstance(components, list) else []
    if not all(isinstance(each, dict) for each in given):
        raise Refused(100, "template.components must be objects")
    parts = {_kind(each): each for each in template.components}
    shown: dict[str, Any] = {"template": template.name, "buttons": []}
    header = parts.get("HEADER")
    if header is not None:
        shown |= _filled_header(header, _parameters(given, "HEADER"))
    shown["text"] = _filled_text(_body_text(template, parts["BODY"]), _parameters(given, "BODY"), "body")
    if template.category == "AUTHENTICATION":
        _check_code(given)
    if "FOOTER" in parts:
        minutes = _minutes(parts["FOOTER"])
        shown["footer"] = _OTP_FOOTER.format(minutes) if minutes else str(parts["FOOTER"].get("text") or "")
    buttons = parts.get("BUTTONS", {}).get("buttons", [])
    for component in given:
        if _kind(component) == "BUTTON" and _index(component) >= len(buttons):
            raise Refused(132000, f"buttons: the template has no button at index {component.get('index')}")
    for index, button in enumerate(buttons):
        values = next(
            (_values(each) for each in given if _kind(each) == "BUTTON" and _index(each) == index),
            [],
        )
        shown["buttons"].append(_filled_button(button, values, index))
    return shown


def _body_text(template: Template, body: Mapping[str, Any]) -> str:
    if template.category != "AUTHENTICATION":
        return str(body.get("text", ""))
    return _OTP_BODY + (_OTP_WARNING if body.get("add_security_recommendation") else "")


def _check_code(given: Sequence[Mapping[str, Any]]) -> None:
    """A code is short and goes into the text and, the same, into the button, which is of type url."""
    code = _words(_parameters(given, "BODY")[0], "body")
    if len(code) > _OTP_LONGEST:
        raise Refused(132005, f"body: a code has {_OTP_LONGEST} characters at most")
    for component in given:
        if _kind(component) == "BUTTON":
            if str(component.get("sub_type") or "").upper() not in {"URL", "COPY_CODE"}:
                raise Refused(132012, "buttons: Format mismatch, expected URL")
            value = next(iter(_values(component)), {})
            if code != (value.get("text") or value.get("coupon_code") or code):
                raise Refused(131009, "buttons: the code of the button is not the code of the body")


def _filled_header(header: Mapping[str, Any], values: list[Mapping[str, Any]]) -> dict[str, Any]:
    wanted = str(header.get("format", "TEXT"))
    if wanted == "TEXT":
        return {"header": _filled_text(str(header.get("text", "")), values, "header")}
    got = _kind(values[0]) if values else "UNKNOWN"
    if got != wanted:
        raise Refused(132012, f"header: Format mismatch, expected {wanted}, received {got}")
    return {"attached": {"kind": wanted.lower(), "content": values[0].get(wanted.lower())}}


def _filled_text(text: str, values: list[Mapping[str, Any]], part: str) -> str:
    names = gaps(text)
    if len(values) != len(names):
        raise Refused(
            132000,
            f"{part}: number of localizable_params ({len(values)}) does not match"
            f" the expected number of params ({len(names)})",
        )
    numbered = all(name.isdigit() for name in names)
    words: dict[str, str] = {}
    for position, value in enumerate(values, start=1):
        name = str(position) if numbered else str(value.get("parameter_name") or "")
        words[name] = _words(value, part)
    missing = [name for name in names if name not in words]
    if missing:
        raise Refused(100, f"{part}: Parameter name is missing or empty: {missing[0]}")
    return _GAP.sub(lambda match: words[match[1]], text)


def _words(value: Mapping[str, Any], part: str) -> str:
    kind = _kind(value)
    if kind in {"CURRENCY", "DATE_TIME"}:
        content = value.get(kind.lower())
        words = content.get("fallback_value") if isinstance(content, dict) else None
    else:
        words = value.get("text")
    if not isinstance(words, str) or not words:
        raise Refused(131008, f"{part}: parameter of type text is missing text value")
    if re.search(r"[\n\t]| {5}", words):
        raise Refused(
            132007, f"{part}: Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        )
    return words


def _filled_button(button: Mapping[str, Any], values: list[Mapping[str, Any]], index: int) -> dict[str, Any]:
    kind, title = _kind(button), str(button.get("text") or "")
    first = values[0] if values else {}
    if kind == "URL":
        url = str(button.get("url", ""))
        if gaps(url):
            word = first.get("text")
            if not isinstance(word, str) or not word:
                raise Refused(131008, f"buttons: Button at index {index} of type Url requires a parameter")
            url = _GAP.sub(lambda _: word, url)
        return {"kind": "url", "title": title, "url": url}
    if kind in {"OTP", "COPY_CODE"}:
        code = first.get("text") or first.get("coupon_code")
        if not isinstance(code, str) or not code:
            raise Refused(131008, f"buttons: Button at index {index} of type {kind} requires a parameter")
        return {"kind": "copy", "title": title or "Copiar código", "id": code}
    if kind == "PHONE_NUMBER":
        return {"kind": "call", "title": title, "url": f"tel:{button.get('phone_number', '')}"}
    return {"kind": "quick_reply", "title": title, "id": str(first.get("payload") or title)}


def _parameters(given: Sequence[Mapping[str, Any]], part: str) -> list[Mapping[str, Any]]:
    return next((_values(each) for each in given if _kind(each) == part), [])


def _values(component: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    values = component.get("parameters")
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise Refused(100, "template.components.parameters must be a list of objects")
    return values


def _kind(component: Mapping[str, Any]) -> str:
    return str(component.get("type") or "").upper()


def _index(component: Mapping[str, Any]) -> int:
    index = str(component.get("index", "0"))
    if not index.isascii() or not index.isdigit():
        raise Refused(100, f"buttons: index {index[:20]} is not a number")
    return int(index)

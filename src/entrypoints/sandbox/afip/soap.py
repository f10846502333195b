"""SOAP 1.1 and 1.2, as much as AFIP's services speak of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

ENVELOPES: Final = {
    "http://schemas.xmlsoap.org/soap/envelope/": "1.1",
    "http://www.w3.org/2003/05/soap-envelope": "1.2",
}
_NAMESPACE: Final = {version: namespace for namespace, version in ENVELOPES.items()}


class Unreadable(Exception):
    """The request is no SOAP envelope; AFIP answers 400 and nothing else."""


@frozen
class SoapRequest:
    """A request's version, operation (may be empty: FEDummy comes with an empty body) and first body element."""

    version: str
    operation: str
    body: Any
    has_action: bool


async def read(request: Request) -> SoapRequest:
    """Read an envelope; raise `Unreadable`."""
    try:
        root = etree.fromstring(
            await request.body(), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        )
        version = ENVELOPES[etree.QName(root).namespace or ""]
        body = next(child for child in root if local(child) == "Body")
    except (etree.LxmlError, ValueError, KeyError, StopIteration, TypeError) as broken:
        raise Unreadable from broken
    element = next((child for child in body if isinstance(child.tag, str)), None)
    content_type = request.headers.get("content-type", "")
    in_type = re.search(r'action="?([^";]*)', content_type)
    action = request.headers.get("soapaction", in_type.group(1) if in_type else "").strip('" ')
    named = action.rpartition("/")[2]
    operation = named or ("" if element is None else local(element))
    has_action = "soapaction" in request.headers or version == "1.2"
    return SoapRequest(version, operation, element, has_action)


def local(element: Any) -> str:
    """Return an element's name without its namespace; nothing for comments."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def tree(element: Any) -> Any:
    """Return an element as text, or as a dict whose repeated children are lists; namespaces and order do not matter."""
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in children:
        value = tree(child)
        name = local(child)
        if name in found:
            found[name] = [*found[name], value] if isinstance(found[name], list) else [found[name], value]
        else:
            found[name] = value
    return found


def answer(version: str, content: str, *, header: str = "", status: int = 200) -> Response:
    """Return an envelope around the content."""
    head = f"<soap:Header>{header}</soap:Header>" if header else ""
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="{_NAMESPACE[version]}">{head}<soap:Body>{content}</soap:Body></soap:Envelope>'
    )
    kind = "text/xml" if version == "1.1" else "application/soap+xml"
    return Response(text.encode(), status, media_type=kind)


def fault(version: str, code: str, text: str, *, detail: str = "", namespace: str = "") -> Response:
    """Return a SOAP fault with HTTP 500."""
    declared = f' xmlns:ns1="{namespace}"' if namespace else ""
    if version == "1.1":
        inner = (
            f"<soap:Fault><faultcode{declared}>{xml(code)}</faultcode><faultstring>{xml(text)}</faultstring>"
            f"<detail>{detail}</detail></soap:Fault>"
        )
    else:
        inner = (
            f"<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value{declared}>{xml(code)}</soap:Value>"
            f'</soap:Subcode></soap:Code><soap:Reason><soap:Text xml:lang="es">{xml(text)}</soap:Text></soap:Reason>'
            f"<soap:Detail>{detail}</soap:Detail></soap:Fault>"
        )
    return answer(version, inner, status=500)


def xml(value: object) -> str:
    """Escape text for XML."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def elements(content: Mapping[str, Any]) -> str:
    """Write a mapping as elements in its order: None is left out, "" is an empty element, a list repeats its name."""
    parts: list[str] = []
    for name, value in content.items():
        if value is None:
            continue
        for each in value if isinstance(value, Sequence) and not isinstance(value, str) else (value,):
            if isinstance(each, Mapping):
                parts.append(f"<{name}>{elements(each)}</{name}>")
            elif each == "":
                parts.append(f"<{name} />")
            else:
                parts.append(f"<{name}>{xml(each)}</{name}>")
    return "".join(parts)

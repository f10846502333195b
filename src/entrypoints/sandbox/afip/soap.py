"""SOAP 1.1 and 1.2, as much of them as AFIP's services speak."""

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
_IN_TYPE: Final = re.compile(r"""[;\s]action\s*=\s*(?:"([^"]*)"|'([^']*)'|([^;\s]*))""", re.IGNORECASE)


class Unreadable(Exception):
    """The request is no SOAP envelope; AFIP answers 400 and nothing else."""


@frozen
class SoapRequest:
    """A request's version, its action (None: there is no such header; it may be empty) and its first body element."""

    version: str
    action: str | None
    body: Any


async def read(request: Request) -> SoapRequest:
    """Read an envelope; raise `Unreadable`."""
    try:
        root = etree.fromstring(
            await request.body(), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        )
        name = etree.QName(root)
        version = ENVELOPES[name.namespace or ""]
        if name.localname != "Envelope":
            raise ValueError(name.localname)
        body = next(child for child in root if local(child) == "Body")
    except (etree.LxmlError, ValueError, KeyError, StopIteration, TypeError) as broken:
        raise Unreadable from broken
    element = next((child for child in body if isinstance(child.tag, str)), None)
    action = request.headers.get("soapaction")
    if action is None and (in_type := _IN_TYPE.search(request.headers.get("content-type", ""))):
        action = next(each for each in (*in_type.groups(), "") if each is not None)
    return SoapRequest(version, None if action is None else action.strip().strip("\"'"), element)


def local(element: Any) -> str:
    """Return an element's name without its namespace; nothing for comments."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def tree(element: Any, *, namespace: str) -> Any:
    """Return an element as text, or as a dict whose repeated children are lists; their order does not matter.

    Elements of another namespace, or of none, are not there.
    """
    own = f"{{{namespace}}}"
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        return "".join(element.itertext()).strip()
    found: dict[str, Any] = {}
    for child in children:
        if not child.tag.startswith(own):
            continue
        value = tree(child, namespace=namespace)
        name = child.tag[len(own) :]
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
    return Response(text.encode(), status, headers={"content-type": f"{kind}; charset=utf-8"})


def fault(version: str, code: str, text: str, *, detail: str = "", namespace: str = "") -> Response:
    """Return a SOAP fault with HTTP 500; without a namespace it is the caller's fault, and the code is SOAP's own."""
    if version == "1.1":
        declared = f' xmlns:ns1="{namespace}"' if namespace else ""
        inner = (
            f"<soap:Fault><faultcode{declared}>{xml(f'ns1:{code}' if namespace else 'soap:Client')}</faultcode>"
            f"<faultstring>{xml(text)}</faultstring><detail>{detail}</detail></soap:Fault>"
        )
    else:
        subcode = (
            f'<soap:Subcode><soap:Value xmlns:ns1="{namespace}">ns1:{xml(code)}</soap:Value></soap:Subcode>'
            if namespace
            else ""
        )
        inner = (
            f"<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value>{subcode}</soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="es">{xml(text)}</soap:Text></soap:Reason>'
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

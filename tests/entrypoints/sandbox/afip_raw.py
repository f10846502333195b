"""A SOAP client written out as bytes: what other languages' stacks send, without any of our code in between."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

NAMESPACE: Final = "http://ar.gov.afip.dif.FEV1/"
ENVELOPE: Final = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}


@frozen
class Answer:
    """What came back over HTTP."""

    status: int
    kind: str
    body: str

    def all(self, name: str) -> list[str]:
        """Return the text of every element of that name."""
        return re.findall(rf"<(?:\w+:)?{name}(?: [^>]*)?>([^<]*)</", self.body)


@frozen
class Raw:
    """Posts bytes to one address."""

    url: str

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("content-type", ""), answer.read().decode())
        finally:
            connection.close()

    def soap(self, path: str, content: str, *, version: str = "1.1", action: str | None = None) -> Answer:
        """Post an envelope; the action goes where the version has it, and nowhere if there is none."""
        envelope = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="{ENVELOPE[version]}"><s:Header/>'
            f"<s:Body>{content}</s:Body></s:Envelope>"
        )
        if version == "1.1":
            headers = {"content-type": "text/xml; charset=utf-8"} | (
                {} if action is None else {"SOAPAction": f'"{action}"'}
            )
        else:
            named = "" if action is None else f'; action="{action}"'
            headers = {"content-type": f"application/soap+xml; charset=utf-8{named}"}
        return self.post(path, envelope.encode(), headers)

    def wsfe(self, operation: str, content: str, *, version: str = "1.1", action: bool = True) -> Answer:
        """Ask for an operation of WSFEv1 with its elements in the default namespace."""
        body = f'<{operation} xmlns="{NAMESPACE}">{content}</{operation}>'
        return self.soap(
            "/wsfev1/service.asmx", body, version=version, action=NAMESPACE + operation if action else None
        )

    def control(self, path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Order something over the control door; it must be understood."""
        body = json.dumps(wanted).encode()
        answer = self.post(f"/afip/control/{path}", body, {"content-type": "application/json"})
        assert answer.status < 300, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found


def xml(content: Mapping[str, Any]) -> str:
    """Write a mapping as elements; a list repeats its name."""
    listed = (
        (name, each)
        for name, value in content.items()
        for each in (value if isinstance(value, Sequence) and not isinstance(value, str) else [value])
    )
    return "".join(f"<{name}>{xml(each) if isinstance(each, Mapping) else each}</{name}>" for name, each in listed)


def voucher(auth: Mapping[str, Any], number: int, *details: Mapping[str, Any], point: int = 1, type_: int = 6) -> str:
    """Return the content of a FECAESolicitar: the details given, numbered on from `number`."""
    head = {"CantReg": len(details), "PtoVta": point, "CbteTipo": type_}
    numbered = [
        {**each, "CbteDesde": number + place, "CbteHasta": number + place} for place, each in enumerate(details)
    ]
    return xml({"Auth": auth, "FeCAEReq": {"FeCabReq": head, "FeDetReq": {"FECAEDetRequest": numbered}}})

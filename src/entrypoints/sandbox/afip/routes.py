"""The sandbox AFIP over HTTP: both services, and beside them the control door."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from entrypoints.sandbox.afip import soap, wsaa, wsfe
from entrypoints.sandbox.afip.control import control_routes
from entrypoints.sandbox.afip.faults import Fault
from entrypoints.sandbox.afip.fields import WrongType
from entrypoints.sandbox.afip.state import AfipState

WSAA_PATH: Final = "/ws/services/LoginCms"
WSFE_PATH: Final = "/wsfev1/service.asmx"
_AXIS: Final = "http://xml.apache.org/axis/"
_HEADER: Final = (
    f'<FEHeaderInfo xmlns="{wsfe.NAMESPACE}"><ambiente>Cuadrilla sandbox - sin validez fiscal</ambiente>'
    "<fecha>{at}</fecha><id>1.0.0.0</id></FEHeaderInfo>"
)


_SAID: Final = frozenset({"error", "refuse", "expired_token"})
"""Failures that the services themselves put into words."""
_HALF: Final = b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><'


class Cut(Response):
    """Ends the connection in the middle of an answer: the server closes what is not finished."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"<?xml", "more_body": True})


def afip_routes(*, wsaa_wsdl: bytes, wsfe_wsdl: bytes, state: AfipState, clock: Callable[[], datetime]) -> list[Route]:
    """Return the routes of both services and of the control door."""
    services = _Services(wsaa_wsdl, wsfe_wsdl, state, clock)
    return [
        Route(WSAA_PATH, services.login, methods=["GET", "POST"]),
        Route(WSFE_PATH, services.invoice, methods=["GET", "POST"]),
        *control_routes(state=state, now=services.now, services=(WSAA_PATH, WSFE_PATH)),
    ]


@frozen
class _Services:
    """WSAA and WSFEv1, with what they remember and their own clock."""

    wsaa_wsdl: bytes
    wsfe_wsdl: bytes
    state: AfipState
    clock: Callable[[], datetime]

    def now(self) -> datetime:
        return self.clock() + self.state.offset

    async def login(self, request: Request) -> Response:
        if request.method != "POST":
            return _description(request, self.wsaa_wsdl)
        try:
            asked = await soap.read(request)
        except soap.Unreadable:
            return Response(status_code=400)
        if asked.version == "1.1" and asked.action is None:
            return soap.fault(asked.version, "Client.NoSOAPAction", "no SOAPAction header!", namespace=_AXIS)
        if asked.body is None or soap.local(asked.body) != "loginCms":
            return soap.fault(asked.version, "Client", "No such operation", namespace=_AXIS)
        sent = next((each.text or "" for each in asked.body if soap.local(each) == "in0"), "")

        def effect(befalls: Fault | None) -> Response:
            try:
                ticket = self._ticket(sent, befalls)
            except wsaa.Refused as refusal:
                return _login_fault(asked.version, refusal)
            return soap.answer(
                asked.version,
                '<loginCmsResponse xmlns="http://wsaa.view.sua.dvadac.desein.afip.gov">'
                f"<loginCmsReturn>{soap.xml(ticket)}</loginCmsReturn></loginCmsResponse>",
            )

        return await _under(self.state.faults.next("loginCms"), effect)

    def _ticket(self, sent: str, befalls: Fault | None) -> str:
        if befalls is None or befalls.kind != "error":
            return wsaa.login(self.state, sent, at=self.now())
        if befalls.after_effect:
            wsaa.login(self.state, sent, at=self.now())
        raise wsaa.Refused(befalls.code, befalls.text)

    async def invoice(self, request: Request) -> Response:
        if request.method != "POST":
            return _description(request, self.wsfe_wsdl)
        try:
            asked = await soap.read(request)
        except soap.Unreadable:
            return Response(status_code=400)
        operation = _operation(asked)
        if operation is None:
            text = f"Server did not recognize the value of HTTP Header SOAPAction: {asked.action or ''}."
            return soap.fault(asked.version, "", text)
        named = asked.body is not None and asked.body.tag == f"{{{wsfe.NAMESPACE}}}{operation}"
        tree = soap.tree(asked.body, namespace=wsfe.NAMESPACE) if named else {}

        def effect(befalls: Fault | None) -> Response:
            at = self.now()
            try:
                wanted = tree if isinstance(tree, dict) else {}
                result = wsfe.answer(self.state, operation, wanted, at=at, fault=befalls)
            except WrongType:
                return soap.fault(asked.version, "", "Server was unable to read request.")
            content = (
                f'<{operation}Response xmlns="{wsfe.NAMESPACE}"><{operation}Result>{soap.elements(result or {})}'
                f"</{operation}Result></{operation}Response>"
            )
            return soap.answer(
                asked.version, content, header=_HEADER.format(at=at.astimezone(wsaa.ARGENTINA).isoformat())
            )

        return await _under(self.state.faults.next(operation), effect)


def _operation(asked: soap.SoapRequest) -> str | None:
    """Return what is wanted: by the action, and without one by the body's element; None if there is no such operation."""
    if asked.action:
        operation = asked.action.removeprefix(wsfe.NAMESPACE)
        return operation if operation != asked.action and operation in wsfe.operations() else None
    operation = "" if asked.body is None else soap.local(asked.body)
    return operation if operation in wsfe.operations() else None


async def _under(fault: Fault | None, effect: Callable[[Fault | None], Response]) -> Response:
    """Do what was asked, or fail as it was ordered."""
    if fault is None or fault.kind in _SAID:
        return effect(fault)
    if fault.kind == "duplicate":
        effect(None)
        return effect(None)
    answer = effect(None) if fault.after_effect else None
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        return answer or effect(None)
    if fault.kind == "cut":
        return Cut()
    if fault.kind == "malformed":
        return Response(_HALF, media_type="text/xml")
    return PlainTextResponse("Internal Server Error", fault.status)


def _login_fault(version: str, refusal: wsaa.Refused) -> Response:
    detail = (
        f'<ns2:exceptionName xmlns:ns2="{_AXIS}">gov.afip.desein.dvadac.sua.view.wsaa.LoginFault</ns2:exceptionName>'
        f'<ns3:hostname xmlns:ns3="{_AXIS}">cuadrilla-sandbox</ns3:hostname>'
    )
    return soap.fault(version, refusal.code, str(refusal), detail=detail, namespace=_AXIS)


def _description(request: Request, wsdl: bytes) -> Response:
    """Return AFIP's own description with nothing but the address replaced."""
    here = soap.xml(request.url.replace(query="")).rstrip("?").encode()
    pattern = rb'(<(?:\w+:)?address\s+location=")[^"]*(")'
    return Response(re.sub(pattern, lambda found: found[1] + here + found[2], wsdl), media_type="text/xml")

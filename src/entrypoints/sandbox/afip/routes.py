"""The sandbox AFIP over HTTP: both services, and beside them the control door."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from entrypoints.sandbox.afip import soap, wsaa, wsfe
from entrypoints.sandbox.afip.control import control_routes
from entrypoints.sandbox.afip.fields import WrongType
from entrypoints.sandbox.afip.state import AfipState, Fault

WSAA_PATH: Final = "/ws/services/LoginCms"
WSFE_PATH: Final = "/wsfev1/service.asmx"
_NAMESPACE: Final = "http://ar.gov.afip.dif.FEV1/"
_AXIS: Final = "http://xml.apache.org/axis/"
_HEADER: Final = (
    f'<FEHeaderInfo xmlns="{_NAMESPACE}"><ambiente>Cuadrilla sandbox - sin validez fiscal</ambiente>'
    "<fecha>{at}</fecha><id>1.0.0.0</id></FEHeaderInfo>"
)


class Cut(Response):
    """Ends the connection in the middle of an answer: the server closes what is not finished."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"<?xml", "more_body": True})


def afip_routes(*, wsaa_wsdl: bytes, wsfe_wsdl: bytes, state: AfipState, clock: Callable[[], datetime]) -> list[Route]:
    """Return the routes of both services and of the control door."""

    def now() -> datetime:
        return clock() + state.offset

    async def login(request: Request) -> Response:
        if request.method == "GET":
            return _description(request, wsaa_wsdl)
        try:
            asked = await soap.read(request)
        except soap.Unreadable:
            return Response(status_code=400)
        if not asked.has_action:
            return soap.fault(asked.version, "ns1:Client.NoSOAPAction", "no SOAPAction header!", namespace=_AXIS)
        fault = state.next_fault("loginCms")
        text = "" if asked.body is None else next((e.text or "" for e in asked.body if soap.local(e) == "in0"), "")

        async def effect() -> Response:
            try:
                if fault is not None and fault.kind == "error":
                    raise wsaa.Refused(fault.code, fault.text)
                ticket = wsaa.login(state, text, at=now())
            except wsaa.Refused as refusal:
                return _login_fault(asked.version, refusal)
            return soap.answer(
                asked.version,
                '<loginCmsResponse xmlns="http://wsaa.view.sua.dvadac.desein.afip.gov">'
                f"<loginCmsReturn>{soap.xml(ticket)}</loginCmsReturn></loginCmsResponse>",
            )

        return await _under(fault, effect)

    async def invoice(request: Request) -> Response:
        if request.method == "GET":
            return _description(request, wsfe_wsdl)
        try:
            asked = await soap.read(request)
        except soap.Unreadable:
            return Response(status_code=400)
        operation = asked.operation
        fault = state.next_fault(operation)
        tree = {} if asked.body is None else soap.tree(asked.body)

        async def effect() -> Response:
            try:
                result = wsfe.answer(
                    state,
                    operation,
                    tree if isinstance(tree, dict) else {},
                    at=now(),
                    fault=fault if fault is not None and fault.kind in {"error", "refuse"} else None,
                )
            except WrongType:
                return soap.fault(asked.version, "soap:Client", "Server was unable to read request.")
            if result is None:
                text = "Server did not recognize the value of HTTP Header SOAPAction"
                return soap.fault(asked.version, "soap:Client", text)
            content = (
                f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{soap.elements(result)}'
                f"</{operation}Result></{operation}Response>"
            )
            return soap.answer(asked.version, content, header=_HEADER.format(at=now().isoformat()))

        return await _under(fault, effect)

    return [
        Route(WSAA_PATH, login, methods=["GET", "POST"]),
        Route(WSFE_PATH, invoice, methods=["GET", "POST"]),
        *control_routes(state=state, now=now, services=(WSAA_PATH, WSFE_PATH)),
    ]


async def _under(fault: Fault | None, effect: Callable[[], Awaitable[Response]]) -> Response:
    """Do what was asked, or fail as it was ordered."""
    if fault is None or fault.kind in {"error", "refuse"}:
        return await effect()
    answer = await effect() if fault.after_effect else None
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        return answer or await effect()
    return Cut() if fault.kind == "cut" else PlainTextResponse("Internal Server Error", 500)


def _login_fault(version: str, refusal: wsaa.Refused) -> Response:
    detail = (
        f'<ns2:exceptionName xmlns:ns2="{_AXIS}">gov.afip.desein.dvadac.sua.view.wsaa.LoginFault</ns2:exceptionName>'
        f'<ns3:hostname xmlns:ns3="{_AXIS}">cuadrilla-sandbox</ns3:hostname>'
    )
    return soap.fault(version, f"ns1:{refusal.code}", str(refusal), detail=detail, namespace=_AXIS)


def _description(request: Request, wsdl: bytes) -> Response:
    """Return AFIP's own description with nothing but the address replaced."""
    here = soap.xml(request.url.replace(query="")).rstrip("?").encode()
    pattern = rb'(<(?:\w+:)?address\s+location=")[^"]*(")'
    return Response(re.sub(pattern, lambda found: found[1] + here + found[2], wsdl), media_type="text/xml")

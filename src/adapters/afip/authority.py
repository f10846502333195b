"""WSFEv1 as `core.invoicing` sees AFIP."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from attrs import define, field
from zeep.exceptions import Fault, ValidationError
from zeep.helpers import serialize_object

from adapters.afip.soap import CONNECT, brief, in_thread, never_left, service
from adapters.afip.tickets import AfipCredentials, TicketStore, Wsaa
from core.invoicing import AnswerLost, Authorisation, Found, Invoice, Observation, Refused, Series
from core.invoicing.voucher import CONCEPT, VAT_ID
from core.kernel.errors import NotFound, Unavailable
from core.kernel.money import cents
from core.kernel.time import Clock

BINDING: Final = "{http://ar.gov.afip.dif.FEV1/}ServiceSoap"
NOTHING_FOUND: Final = 602
BAD_TOKEN: Final = 600
TROUBLE: Final = frozenset({500, 501, 502})
"""AFIP's own failures: what became of the request is not known."""


@define
class AfipAuthority:
    """`core.invoicing.ports.TaxAuthority`: zeep's synchronous client in a thread, because serialising would hold the event loop.

    `operation_timeout`: seconds to wait for one answer of AFIP's. `sent_within`: seconds after which nothing is sent any more,
    because by then, with the time for an answer, others may take the answer for lost.
    """

    _wsaa_url: str
    _wsfe_url: str
    _credentials: Callable[[str], Awaitable[AfipCredentials]]
    _tickets: TicketStore
    _clock: Clock
    _operation_timeout: float = 20.0
    _sent_within: float = 30.0
    _wsaa: Wsaa = field(init=False)
    _service: Any = field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        self._wsaa = Wsaa(self._wsaa_url, self._tickets, self._clock)

    async def last_authorised(self, tenant: str, series: Series) -> int:
        """Return the highest authorised number of the series, 0 before the first. Raise `Unavailable` or `Refused`."""
        answer = await self._ask(
            tenant,
            series.cuit,
            "FECompUltimoAutorizado",
            PtoVta=series.point_of_sale,
            CbteTipo=series.voucher_type,
        )
        _raise_errors(answer)
        with _reading(Unavailable):
            return int(answer["CbteNro"])

    async def authorise(self, invoice: Invoice) -> Authorisation:
        """Ask for a CAE. From the moment the request may have left, no answer means `AnswerLost`."""
        request = {
            "FeCabReq": {
                "CantReg": 1,
                "PtoVta": invoice.issuer.point_of_sale,
                "CbteTipo": invoice.voucher_type,
            },
            "FeDetReq": {"FECAEDetRequest": [voucher(invoice)]},
        }
        answer = await self._ask(
            invoice.tenant, invoice.issuer.cuit, "FECAESolicitar", lost=AnswerLost, FeCAEReq=request
        )
        with _reading(AnswerLost):
            errors = _errors(answer)
            if any(error.code in TROUBLE for error in errors):
                msg = f"AFIP is in trouble: {errors[0]}"
                raise AnswerLost(msg)
            details = (answer.get("FeDetResp") or {}).get("FECAEDetResponse") or []
            detail = details[0] if details else {}
            observed = _notes(detail.get("Observaciones"), "Obs")
            if detail.get("Resultado") == "A":
                return _authorisation(detail["CAE"], detail["CAEFchVto"], observed)
            reasons = [*observed, *errors]
            if not reasons:
                msg = "AFIP's answer says neither yes nor why not"
                raise AnswerLost(msg)
        raise Refused(reasons)

    async def find(self, invoice: Invoice) -> Found | None:
        """Return what AFIP has under the invoice's number, or None if nothing. Raise `Unavailable`."""
        request = {
            "CbteTipo": invoice.voucher_type,
            "CbteNro": invoice.number,
            "PtoVta": invoice.issuer.point_of_sale,
        }
        try:
            answer = await self._ask(invoice.tenant, invoice.issuer.cuit, "FECompConsultar", FeCompConsReq=request)
            with _reading(Unavailable):
                if any(error.code == NOTHING_FOUND for error in _errors(answer)):
                    return None
            _raise_errors(answer)
        except Refused as refusal:  # of the question, which says nothing about the voucher
            msg = f"AFIP does not tell what became of {invoice.printed_number}: {refusal}"
            raise Unavailable(msg) from refusal
        with _reading(Unavailable):
            got = answer["ResultGet"]
            if not int(got["CbteDesde"]) <= (invoice.number or 0) <= int(got["CbteHasta"]):
                raise ValueError(got["CbteDesde"])
            same = (
                (int(got["DocTipo"]), int(got["DocNro"])) == invoice.document
                and cents(Decimal(str(got["ImpTotal"]))) == cents(invoice.totals.total)
                and invoice.issued_on is not None
                and got["CbteFch"] == f"{invoice.issued_on:%Y%m%d}"
            )
            observed = _notes(got.get("Observaciones"), "Obs")
            return Found(same=same, authorisation=_authorisation(got["CodAutorizacion"], got["FchVto"], observed))

    async def ping(self) -> None:
        """Return if WSFEv1 says that its parts work; raise `Unavailable`."""
        answer = await self._call("FEDummy", {}, lost=Unavailable)
        broken = [part for part in ("AppServer", "DbServer", "AuthServer") if answer.get(part) != "OK"]
        if broken:
            msg = f"AFIP says that {', '.join(broken)} does not work"
            raise Unavailable(msg)

    async def _ask(
        self, tenant: str, cuit: str, operation: str, *, lost: type[Unavailable] = Unavailable, **request: Any
    ) -> Mapping[str, Any]:
        """Call with the tenant's ticket; one that AFIP no longer takes is renewed once."""
        try:
            credentials = await self._credentials(tenant)
        except NotFound as missing:
            raise Refused([Observation(0, str(missing))]) from missing
        clock = asyncio.get_running_loop().time
        latest = clock() + self._sent_within
        ticket = await self._wsaa.ticket(credentials)
        answer: Mapping[str, Any] | None = None
        for attempt in range(2):
            if clock() > latest:
                if answer is not None:
                    return answer
                msg = f"AFIP was not asked: an access ticket for {operation} took too long"
                raise Unavailable(msg)
            auth = {"Token": ticket.token, "Sign": ticket.sign, "Cuit": int(cuit)}
            answer = await self._call(operation, {"Auth": auth, **request}, lost=lost)
            with _reading(lost):
                refused = any(error.code == BAD_TOKEN for error in _errors(answer))
            if attempt or not refused:
                return answer
            try:
                ticket = await self._wsaa.ticket(credentials, rejected=ticket)
            except Unavailable:  # AFIP gives no other ticket, so it is not the ticket's age: what it said stands
                return answer
        return answer or {}

    async def _call(self, operation: str, request: dict[str, Any], *, lost: type[Unavailable]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(CONNECT + self._operation_timeout):
                return await in_thread(self._send, operation, request)
        except ValidationError as failure:
            msg = f"AFIP was not asked: {operation} does not fit its description"
            raise Unavailable(msg) from failure
        except Fault as fault:
            msg = f"AFIP failed at {operation}: {brief(fault.message)}"
            raise lost(msg) from fault
        except Exception as failure:  # of the network, of HTTP, of XML: zeep raises whatever the answer provokes
            if never_left(failure):
                msg = f"AFIP cannot be reached for {operation}"
                raise Unavailable(msg) from failure
            msg = f"AFIP does not answer {operation}, or not sensibly"
            raise lost(msg) from failure

    def _send(self, operation: str, request: dict[str, Any]) -> Mapping[str, Any]:
        if self._service is None:
            self._service = service(
                "wsfev1.wsdl", binding=BINDING, url=self._wsfe_url, operation_timeout=self._operation_timeout
            )
        answer = serialize_object(getattr(self._service, operation)(**request), dict)
        if not isinstance(answer, dict):
            raise TypeError(operation)
        return answer


def voucher(invoice: Invoice) -> dict[str, Any]:
    """Return an invoice as a `FECAEDetRequest`: dates as yyyymmdd, amounts with two decimals.

    Raise `Refused` for other money than pesos.
    """
    if invoice.issued_on is None or invoice.number is None:
        msg = "an invoice is numbered before AFIP is asked"
        raise ValueError(msg)
    if invoice.currency != "ARS":
        raise Refused([Observation(0, f"vouchers are issued in pesos, not in {invoice.currency}")])
    sums = invoice.totals
    concept = CONCEPT[invoice.issuer.concept]
    document_type, document_number = invoice.document
    day = f"{invoice.issued_on:%Y%m%d}"
    detail: dict[str, Any] = {
        "Concepto": concept,
        "DocTipo": document_type,
        "DocNro": document_number,
        "CbteDesde": invoice.number,
        "CbteHasta": invoice.number,
        "CbteFch": day,
        "ImpTotal": cents(sums.total),
        "ImpTotConc": Decimal("0.00"),
        "ImpNeto": cents(sums.net),
        "ImpOpEx": Decimal("0.00"),
        "ImpTrib": Decimal("0.00"),
        "ImpIVA": cents(sums.vat),
        "MonId": "PES",
        "MonCotiz": Decimal(1),
        "CondicionIVAReceptorId": invoice.receiver_condition,
    }
    if concept != CONCEPT["products"]:
        serviced = f"{invoice.serviced_on:%Y%m%d}"
        detail |= {"FchServDesde": serviced, "FchServHasta": serviced, "FchVtoPago": max(day, serviced)}
    if invoice.letter != "C":
        detail["Iva"] = {
            "AlicIva": [
                {"Id": VAT_ID[rate.rate], "BaseImp": cents(rate.base), "Importe": cents(rate.vat)}
                for rate in sums.rates
                if rate.base  # what is given away has no row of its own
            ]
        }
    return detail


def _errors(answer: Mapping[str, Any]) -> list[Observation]:
    return _notes(answer.get("Errors"), "Err")


def _notes(holder: Mapping[str, Any] | None, name: str) -> list[Observation]:
    return [Observation(int(each["Code"]), brief(each["Msg"])) for each in (holder or {}).get(name) or []]


def _raise_errors(answer: Mapping[str, Any]) -> None:
    with _reading(Unavailable):
        errors = _errors(answer)
    if any(error.code in TROUBLE for error in errors):
        msg = f"AFIP is in trouble: {errors[0]}"
        raise Unavailable(msg)
    if errors:
        raise Refused(errors)


def _authorisation(cae: Any, expires: Any, observed: list[Observation]) -> Authorisation:
    if not re.fullmatch(r"[0-9]{14}", str(cae)):
        raise ValueError(cae)
    day = datetime.strptime(str(expires)[:8], "%Y%m%d").date()  # noqa: DTZ007 - a calendar day has no zone
    return Authorisation(cae=str(cae), expires_on=day, observations=tuple(observed))


@contextlib.contextmanager
def _reading(lost: type[Unavailable]) -> Iterator[None]:
    """Turn what a senseless answer provokes into the given error."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as broken:
        msg = "AFIP's answer cannot be read"
        raise lost(msg) from broken

"""WSFEv1 as `core.invoicing` sees AFIP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from attrs import define, field, frozen
from zeep.exceptions import Fault, ValidationError
from zeep.helpers import serialize_object

from adapters.afip.breaker import Breaker
from adapters.afip.soap import CONNECT, Recording, Spoken, brief, in_thread, never_left, read_ahead, redacted, service
from adapters.afip.tickets import AfipCredentials, TicketStore, Wsaa
from adapters.afip.vouchers import authorisation, errors_of, is_ours, notes_of, reading, voucher
from core.invoicing import AnswerLost, Authorisation, Exchange, Found, Invoice, Observation, Refused, Series
from core.invoicing.ports import VoucherTrail
from core.kernel.errors import CuadrillaError, NotFound, Unavailable
from core.kernel.time import Clock

BINDING: Final = "{http://ar.gov.afip.dif.FEV1/}ServiceSoap"
NOTHING_FOUND: Final = 602
BAD_TOKEN: Final = 600
TROUBLE: Final = frozenset({500, 501, 502})
"""AFIP's own failures: what became of the request is not known."""
SOON: Final = 2.0
BACK_OFF: Final = 0.2
"""A question that failed within so many seconds is asked once more, so many seconds later."""


@frozen
class _Subject:
    """Whose call it is, and about which voucher or batch."""

    tenant: str
    id: str = ""


@define
class AfipAuthority:
    """`core.invoicing.ports.TaxAuthority`: zeep's synchronous client in a thread, because serialising would hold the event loop.

    `trail`: where calls about vouchers are kept. `operation_timeout`: seconds to wait for one answer of AFIP's. `sent_within`:
    seconds after which nothing is sent any more, because by then, with the time for an answer, others may take the answer for lost.
    """

    _wsaa_url: str
    _wsfe_url: str
    _credentials: Callable[[str], Awaitable[AfipCredentials]]
    _tickets: TicketStore
    _clock: Clock
    _trail: VoucherTrail | None = None
    _operation_timeout: float = 20.0
    _sent_within: float = 30.0
    _breaker: Breaker = field(factory=lambda: Breaker("AFIP"), repr=False)
    _wsaa: Wsaa = field(init=False)
    _service: tuple[Any, Recording] | None = field(init=False, default=None, repr=False)
    _most: int | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._wsaa = Wsaa(self._wsaa_url, self._tickets, self._clock)
        read_ahead("wsfev1.wsdl", "wsaa.wsdl")

    async def last_authorised(self, tenant: str, series: Series) -> int:
        """Return the highest authorised number of the series, 0 before the first. Raise `Unavailable` or `Refused`."""
        answer = await self._ask(
            _Subject(tenant),
            series.cuit,
            "FECompUltimoAutorizado",
            PtoVta=series.point_of_sale,
            CbteTipo=series.voucher_type,
        )
        _raise_errors(answer)
        with reading(Unavailable):
            return int(answer["CbteNro"])

    async def most_at_once(self, tenant: str, series: Series) -> int:
        """Return how many vouchers AFIP takes in one request; it is asked once. Raise `Unavailable` or `Refused`."""
        if self._most is None:
            answer = await self._ask(_Subject(tenant), series.cuit, "FECompTotXRequest")
            _raise_errors(answer)
            with reading(Unavailable):
                self._most = max(1, int(answer["RegXReq"]))
        return self._most

    async def authorise(self, invoice: Invoice) -> Authorisation:
        """Ask for a CAE. From the moment the request may have left, no answer means `AnswerLost`."""
        (answer,) = await self._request([invoice], subject=invoice.id)
        if isinstance(answer, Refused):
            raise answer
        if answer is None:
            msg = "AFIP's answer says neither yes nor why not"
            raise AnswerLost(msg)
        return answer

    async def authorise_many(self, invoices: Sequence[Invoice]) -> Sequence[Authorisation | Refused | None]:
        """Ask in one request for the CAEs of submitted vouchers of one series; after the first refusal there are no answers."""
        answers = await self._request(invoices, subject=invoices[0].batch or invoices[0].id)
        considered: list[Authorisation | Refused | None] = []
        for answer in answers:
            over = bool(considered) and not isinstance(considered[-1], Authorisation)
            if answer is None and not over:
                msg = "AFIP's answer says neither yes nor why not"
                raise AnswerLost(msg)
            considered.append(None if over else answer)
        return considered

    async def find(self, invoice: Invoice) -> Found | None:
        """Return what AFIP has under the invoice's number, or None if nothing. Raise `Unavailable`."""
        request = {
            "CbteTipo": invoice.voucher_type,
            "CbteNro": invoice.number,
            "PtoVta": invoice.issuer.point_of_sale,
        }
        subject = _Subject(invoice.tenant, invoice.id)
        try:
            answer = await self._ask(subject, invoice.issuer.cuit, "FECompConsultar", FeCompConsReq=request)
            with reading(Unavailable):
                if any(error.code == NOTHING_FOUND for error in errors_of(answer)):
                    return None
            _raise_errors(answer)
        except Refused as refusal:  # of the question, which says nothing about the voucher
            msg = f"AFIP does not tell what became of {invoice.printed_number}: {refusal}"
            raise Unavailable(msg) from refusal
        with reading(Unavailable):
            got = answer["ResultGet"]
            if not int(got["CbteDesde"]) <= (invoice.number or 0) <= int(got["CbteHasta"]):
                raise ValueError(got["CbteDesde"])
            observed = notes_of(got.get("Observaciones"), "Obs")
            yes = authorisation(got["CodAutorizacion"], got["FchVto"], observed)
            return Found(same=is_ours(got, invoice), authorisation=yes)

    async def ping(self) -> None:
        """Return if WSFEv1 says that its parts work; raise `Unavailable`."""
        answer = await self._call("FEDummy", {}, lost=Unavailable)
        broken = [part for part in ("AppServer", "DbServer", "AuthServer") if answer.get(part) != "OK"]
        if broken:
            msg = f"AFIP says that {', '.join(broken)} does not work"
            raise Unavailable(msg)

    async def _request(self, invoices: Sequence[Invoice], *, subject: str) -> list[Authorisation | Refused | None]:
        """Ask for CAEs; an answer of None says neither yes nor why not."""
        first = invoices[0]
        request = {
            "FeCabReq": {
                "CantReg": len(invoices),
                "PtoVta": first.issuer.point_of_sale,
                "CbteTipo": first.voucher_type,
            },
            "FeDetReq": {"FECAEDetRequest": [voucher(invoice) for invoice in invoices]},
        }
        about = _Subject(first.tenant, subject)
        answer = await self._ask(about, first.issuer.cuit, "FECAESolicitar", lost=AnswerLost, FeCAEReq=request)
        with reading(AnswerLost):
            errors = errors_of(answer)
            if any(error.code in TROUBLE for error in errors):
                msg = f"AFIP is in trouble: {errors[0]}"
                raise AnswerLost(msg)
            details = (answer.get("FeDetResp") or {}).get("FECAEDetResponse") or []
            if not details and errors:
                return [Refused(errors), *(None for _ in invoices[1:])]
            if len(details) != len(invoices):
                raise ValueError(len(details))
            answers: list[Authorisation | Refused | None] = []
            for invoice, detail in zip(invoices, details, strict=True):
                observed = notes_of(detail.get("Observaciones"), "Obs")
                if detail.get("Resultado") == "A":
                    if len(invoices) > 1 and int(detail["CbteDesde"]) != invoice.number:
                        raise ValueError(detail["CbteDesde"])
                    answers.append(authorisation(detail["CAE"], detail["CAEFchVto"], observed))
                    continue
                # What stands in `Errors` is of the request, and told of the first that was refused.
                fresh = not any(isinstance(each, Refused) for each in answers)
                reasons = [*observed, *(errors if fresh else [])]
                answers.append(Refused(reasons) if reasons else None)
        return answers

    async def _ask(
        self, subject: _Subject, cuit: str, operation: str, *, lost: type[Unavailable] = Unavailable, **request: Any
    ) -> Mapping[str, Any]:
        """Call with the tenant's ticket; one that AFIP no longer takes is renewed once."""
        try:
            credentials = await self._credentials(subject.tenant)
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
            answer = await self._call(operation, {"Auth": auth, **request}, lost=lost, subject=subject)
            with reading(lost):
                refused = any(error.code == BAD_TOKEN for error in errors_of(answer))
            if attempt or not refused:
                return answer
            try:
                ticket = await self._wsaa.ticket(credentials, rejected=ticket)
            except Unavailable:  # AFIP gives no other ticket, so it is not the ticket's age: what it said stands
                return answer
        return answer or {}

    async def _call(
        self, operation: str, request: dict[str, Any], *, lost: type[Unavailable], subject: _Subject | None = None
    ) -> Mapping[str, Any]:
        """Call once, or twice what changes nothing there and failed quickly; a request for a CAE is never repeated here."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            return await self._once(operation, request, lost, subject)
        except Unavailable:
            if lost is AnswerLost or clock() - begun > SOON:
                raise
        await asyncio.sleep(BACK_OFF)
        return await self._once(operation, request, lost, subject)

    async def _once(
        self, operation: str, request: dict[str, Any], lost: type[Unavailable], subject: _Subject | None
    ) -> Mapping[str, Any]:
        self._breaker.enter()
        spoken = Spoken()
        failure = ""
        try:
            async with asyncio.timeout(CONNECT + self._operation_timeout):
                answer = await in_thread(self._send, operation, request, spoken)
        except ValidationError as problem:
            self._breaker.succeeded()
            failure = f"AFIP was not asked: {operation} does not fit its description"
            raise Unavailable(failure) from problem
        except Fault as fault:
            self._breaker.succeeded()
            failure = f"AFIP failed at {operation}: {brief(fault.message)}"
            raise lost(failure) from fault
        except Exception as problem:  # of the network, of HTTP, of XML: zeep raises whatever the answer provokes
            self._breaker.failed()
            if never_left(problem):
                failure = f"AFIP cannot be reached for {operation}"
                raise Unavailable(failure) from problem
            failure = f"AFIP does not answer {operation}, or not sensibly"
            raise lost(failure) from problem
        else:
            self._breaker.succeeded()
            return answer
        finally:
            await self._keep(operation, spoken, failure, subject)

    async def _keep(self, operation: str, spoken: Spoken, failure: str, subject: _Subject | None) -> None:
        if self._trail is None or subject is None or not subject.id:
            return
        exchange = Exchange(
            subject=subject.id,
            operation=operation,
            at=self._clock(),
            request=redacted(spoken.request),
            response=redacted(spoken.response),
            failure=failure,
        )
        with contextlib.suppress(CuadrillaError):  # what AFIP said counts, whether or not we can keep the paper
            await self._trail.add(subject.tenant, exchange)

    def _send(self, operation: str, request: dict[str, Any], spoken: Spoken) -> Mapping[str, Any]:
        if self._service is None:
            self._service = service(
                "wsfev1.wsdl", binding=BINDING, url=self._wsfe_url, operation_timeout=self._operation_timeout
            )
        operations, recording = self._service
        recording.start(spoken)
        answer = serialize_object(getattr(operations, operation)(**request), dict)
        if not isinstance(answer, dict):
            raise TypeError(operation)
        return answer


def _raise_errors(answer: Mapping[str, Any]) -> None:
    with reading(Unavailable):
        errors = errors_of(answer)
    if any(error.code in TROUBLE for error in errors):
        msg = f"AFIP is in trouble: {errors[0]}"
        raise Unavailable(msg)
    if errors:
        raise Refused(errors)

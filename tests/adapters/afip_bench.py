"""A running sandbox AFIP over real HTTP, and the adapter's parts pointed at it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

import httpx2
from attrs import define, evolve, field
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from adapters.afip import AfipAuthority, AfipCredentials, TicketStore
from adapters.afip.tickets import Wsaa
from adapters.memory.pauses import Steps
from adapters.memory.secrets import MemoryTickets
from core.invoicing import Invoice, Receiver
from core.kernel.money import Line
from entrypoints.sandbox.afip import AfipState, afip_routes
from entrypoints.sandbox.afip.routes import WSAA_PATH, WSFE_PATH
from tests.contracts.samples import NOW, Hands, an_issuer
from tests.entrypoints.sandbox.whatsapp_bench import serving

CUIT: Final = "30712345671"
TODAY: Final = date(2026, 11, 20)
COMPANY: Final = Receiver(
    customer_id="cust_2",
    name="Panadería Don José S.R.L.",
    vat_condition="responsable_inscripto",
    document_type="CUIT",
    document_number="30500010912",
)
SOMEBODY: Final = Receiver(customer_id="cust_1", name="Ana Ruiz")


@define
class Bench:
    """The sandbox, its clock, its control door, and what was asked of it."""

    url: str
    clock: Hands
    control: httpx2.AsyncClient
    credentials: AfipCredentials
    store: TicketStore
    asked: list[str] = field(factory=list)

    @property
    def wsaa_url(self) -> str:
        return self.url + WSAA_PATH

    @property
    def wsfe_url(self) -> str:
        return self.url + WSFE_PATH

    @property
    def logins(self) -> int:
        return self.asked.count(WSAA_PATH)

    async def certificate(self, cuit: str = CUIT, **wanted: Any) -> AfipCredentials:
        answer = await self.control.post("/afip/control/certificates", json={"cuit": cuit, "points": [1, 2], **wanted})
        assert answer.status_code == 201, answer.text
        return AfipCredentials(**answer.json())

    async def fault(self, kind: str, operation: str = "FECAESolicitar", **more: Any) -> None:
        answer = await self.control.post("/afip/control/faults", json={"kind": kind, "operation": operation, **more})
        assert answer.status_code == 201, answer.text

    async def vouchers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.control.get("/afip/control/vouchers")).json()["items"]
        return found

    def wsaa(self, store: TicketStore | None = None) -> Wsaa:
        return Wsaa(self.wsaa_url, store or self.store, self.clock)

    def authority(
        self,
        credentials: AfipCredentials | None = None,
        *,
        credentials_of: Callable[[str], Awaitable[AfipCredentials]] | None = None,
        wsfe_url: str = "",
        **more: Any,
    ) -> AfipAuthority:
        given = credentials or self.credentials

        async def known(_: str) -> AfipCredentials:
            return given

        wanted: dict[str, Any] = {"credentials": credentials_of or known, "tickets": self.store, **more}
        return AfipAuthority(wsaa_url=self.wsaa_url, wsfe_url=wsfe_url or self.wsfe_url, clock=self.clock, **wanted)


@contextlib.asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """Serve a sandbox AFIP that stands at `samples.NOW`."""
    state, clock = AfipState(folder / "afip.db"), Hands()
    descriptions = resources.files("adapters.afip") / "wsdl"
    app = Starlette(
        routes=afip_routes(
            wsaa_wsdl=(descriptions / "wsaa.wsdl").read_bytes(),
            wsfe_wsdl=(descriptions / "wsfev1.wsdl").read_bytes(),
            state=state,
            clock=clock,
        )
    )
    asked: list[str] = []

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in {WSAA_PATH, WSFE_PATH}:
            asked.append(scope["path"])
        await app(scope, receive, send)

    async with serving(counting) as url, httpx2.AsyncClient(base_url=url, timeout=20) as control:
        running = Bench(
            url=url,
            clock=clock,
            control=control,
            credentials=AfipCredentials(certificate="", key=""),
            store=MemoryTickets(Steps(), clock),
            asked=asked,
        )
        running.credentials = await running.certificate()
        asked.clear()
        yield running
    state.close()


def an_invoice(
    number: int = 1,
    *,
    receiver: Receiver = SOMEBODY,
    issuer_condition: str = "responsable_inscripto",
    lines: tuple[Line, ...] | None = None,
    issued_on: date = TODAY,
    concept: str = "services",
    point_of_sale: int = 1,
) -> Invoice:
    """Return a submitted invoice."""
    rate = Decimal(21) if issuer_condition == "responsable_inscripto" else Decimal(0)
    draft = Invoice.drafted(
        id_=f"inv_{number}",
        job_id="job_1",
        issuer=evolve(an_issuer(point_of_sale=point_of_sale), vat_condition=issuer_condition, concept=concept),
        receiver=receiver,
        lines=lines
        or (Line(description="Gas", quantity=Decimal("1.5"), unit_price=Decimal("10000.50"), vat_rate=rate),),
        currency="ARS",
        serviced_on=TODAY,
        at=NOW,
    )
    return draft.submit(number=number, issued_on=issued_on, at=NOW)


@contextlib.asynccontextmanager
async def answering(answer: Callable[[], bytes]) -> AsyncIterator[str]:
    """Serve whatever bytes there are to any request, then hang up; the value is the address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            await reader.readexactly(length)
            writer.write(answer())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await server.wait_closed()


def http(body: bytes, *, status: str = "200 OK", kind: str = "text/xml; charset=utf-8") -> bytes:
    """Return a whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


async def ticks_while(work: Awaitable[Any]) -> int:
    """Return how often the event loop came round while the work was done."""
    task, count = asyncio.ensure_future(work), 0
    while not task.done():
        await asyncio.sleep(0.01)
        count += 1
    await task
    return count


HOUR: Final = timedelta(hours=1)

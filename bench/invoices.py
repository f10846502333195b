"""AFIP through our adapter against the bare SOAP library, many vouchers in one request, and invoices on paper."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Final

from attrs import evolve
from zeep import Client

from adapters.afip import AfipAuthority, AfipCredentials
from adapters.afip.authority import BINDING
from adapters.afip.tickets import fingerprint
from adapters.afip.vouchers import voucher
from adapters.memory.invoices import MemoryTrail
from adapters.memory.pauses import Steps
from adapters.memory.secrets import MemoryTickets
from adapters.pdf.printer import render
from bench.figure import Figure, compare
from core.invoicing import qr_text
from entrypoints.sandbox.afip import AfipState
from tests.adapters.afip_bench import COMPANY, an_invoice
from tests.contracts.samples import NOW, Hands, a_cae

CALLS, BATCH, PAGES = 150, 50, 40
TOKEN, SIGN = "t" * 1000, "s" * 170


ANSWERS: Final = """
import asyncio, re, sys

FEV1 = "http://ar.gov.afip.dif.FEV1/"

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = int(re.search(rb"(?i)content-length: *(\\d+)", head)[1])
            body = (await reader.readexactly(length)).decode()
            numbers = re.findall(r"CbteDesde>(\\d+)<", body)
            details = "".join(
                f"<FECAEDetResponse><Concepto>2</Concepto><DocTipo>80</DocTipo><DocNro>1</DocNro><CbteDesde>{n}</CbteDesde>"
                f"<CbteHasta>{n}</CbteHasta><CbteFch>20261120</CbteFch><Resultado>A</Resultado><CAE>{70000000000000 + int(n)}</CAE>"
                "<CAEFchVto>20261130</CAEFchVto></FECAEDetResponse>"
                for n in numbers
            )
            answer = (
                '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><FECAESolicitarResponse '
                f'xmlns="{FEV1}"><FECAESolicitarResult><FeCabResp><Cuit>1</Cuit><PtoVta>1</PtoVta><CbteTipo>1</CbteTipo>'
                f"<FchProceso>20261120</FchProceso><CantReg>{len(numbers)}</CantReg><Resultado>A</Resultado><Reproceso>N</Reproceso>"
                f"</FeCabResp><FeDetResp>{details}</FeDetResp></FECAESolicitarResult></FECAESolicitarResponse></soap:Body></soap:Envelope>"
            ).encode()
            writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/xml; charset=utf-8\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(answer))
            writer.write(answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
"""An AFIP that says yes to whatever it is asked."""


async def figures() -> AsyncIterator[Figure]:
    """Take the figures."""
    with _canned() as url:
        authority = await _authority(url)
        yield await _alone(authority, url)
        yield await _together(authority)
        yield await _stalls(authority)
    yield await _paper()


async def _alone(authority: AfipAuthority, url: str) -> Figure:
    single = an_invoice(1, receiver=COMPANY)
    with resources.as_file(resources.files("adapters.afip") / "wsdl" / "wsfev1.wsdl") as path:
        bare = Client(str(path)).create_service(BINDING, url)
    request = {
        "FeCabReq": {"CantReg": 1, "PtoVta": 1, "CbteTipo": 1},
        "FeDetReq": {"FECAEDetRequest": [voucher(single)]},
    }
    auth = {"Token": TOKEN, "Sign": SIGN, "Cuit": 30712345671}

    async def floor() -> float:
        began = time.perf_counter()
        for _ in range(CALLS):
            bare.FECAESolicitar(Auth=auth, FeCAEReq=request)
        return (time.perf_counter() - began) / CALLS

    async def ours() -> float:
        began = time.perf_counter()
        for _ in range(CALLS):
            await authority.authorise(single)
        return (time.perf_counter() - began) / CALLS

    name = "an authorisation with its audit / a bare zeep call"
    return await compare(name, floor=floor, ours=ours, goal=1.3, unit=" s", at_most=True)


async def _together(authority: AfipAuthority) -> Figure:
    many = [an_invoice(number, receiver=COMPANY) for number in range(1, BATCH + 1)]

    async def one_by_one() -> float:
        began = time.perf_counter()
        for each in many:
            await authority.authorise(each)
        return BATCH / (time.perf_counter() - began)

    async def together() -> float:
        began = time.perf_counter()
        for _ in range(4):
            await authority.authorise_many(many)
        return 4 * BATCH / (time.perf_counter() - began)

    return await compare("vouchers 50 in a request / one by one", floor=one_by_one, ours=together, goal=5.0)


async def _stalls(authority: AfipAuthority) -> Figure:
    single = an_invoice(1, receiver=COMPANY)

    async def allowed() -> float:
        return 0.002

    async def longest() -> float:
        stalls: list[float] = []

        async def probe() -> None:
            while True:
                await asyncio.sleep(0.001)
                began = time.perf_counter()
                await asyncio.sleep(0)
                stalls.append(time.perf_counter() - began)

        probing = asyncio.create_task(probe())
        for _ in range(CALLS // 3):
            await authority.authorise(single)
        probing.cancel()
        return max(stalls)

    name = "longest stall of the event loop while 50 are authorised / 2 ms"
    return await compare(name, floor=allowed, ours=longest, goal=1.0, unit=" s", at_most=True)


async def _paper() -> Figure:
    issued = an_invoice(1, receiver=COMPANY).issue(a_cae(), at=NOW)

    async def wanted() -> float:
        return 60.0

    async def printed() -> float:
        began = time.process_time()
        for number in range(PAGES):
            invoice = evolve(issued, number=number + 1)
            render(invoice, qr_text=qr_text(invoice), sandbox=False)
        return PAGES / (time.process_time() - began)

    return await compare("invoices on paper per second of one core / 60", floor=wanted, ours=printed, goal=1.0)


async def _authority(url: str) -> AfipAuthority:
    """Return the adapter with a ticket to be found and a trail to be kept."""
    with tempfile.TemporaryDirectory() as folder:
        state = AfipState(Path(folder) / "afip.db")
        given = state.issue_certificate(cuit="30712345671", alias="x", points=[1], at=NOW)
        state.close()
    credentials = AfipCredentials(certificate=given["certificate"], key=given["key"])
    clock = Hands()
    tickets = MemoryTickets(Steps(), clock)
    ticket = (
        f"<r><header><expirationTime>{(NOW + timedelta(hours=12)).isoformat()}</expirationTime></header>"
        f"<credentials><token>{TOKEN}</token><sign>{SIGN}</sign></credentials></r>"
    )
    await tickets.save(f"wsaa:{url}:{fingerprint(credentials)}:wsfe", ticket)

    async def known(_: str) -> AfipCredentials:
        return credentials

    return AfipAuthority(url, url, known, tickets, clock, MemoryTrail(Steps()))


@contextlib.contextmanager
def _canned() -> Iterator[str]:
    """Serve answers from another process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen([sys.executable, "-c", ANSWERS, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        assert re.match("ready", served.stdout.readline())
        yield f"http://127.0.0.1:{port}/wsfev1/service.asmx"
    finally:
        served.terminate()
        served.wait()

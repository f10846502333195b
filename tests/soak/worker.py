"""A process that charges jobs until it is killed: the production wiring, with less patience."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from attrs import evolve, frozen

from adapters.afip import AfipAuthority
from adapters.afip.breaker import Breaker
from core.invoicing import Invoicing, InvoicingRules
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, Unavailable
from entrypoints.settings import read_settings
from entrypoints.wiring import App, build

BREATH = 0.2
"""Seconds; whoever hears that AFIP cannot be asked does not ask again at once."""


@frozen(kw_only=True)
class Order:
    """What a worker is to do: charge one job, or have a backlog of drafts authorised in one request."""

    tenant: str
    jobs: tuple[str, ...]
    drafts: tuple[str, ...] = ()


@frozen(kw_only=True)
class Outcome:
    """How a job stands after an order. `said` is the code of the error that came, `broken` what must never come."""

    job: str
    invoice: str | None
    state: str
    said: str = ""
    broken: str = ""


def hurried(app: App, *, answer_within: float) -> Invoicing:
    """Return the application's invoicing, which takes answers for lost sooner; nothing else of it is changed.

    As in production, no call outlasts the time after which its answer counts as lost.
    """
    authority = app.invoicing._authority
    assert isinstance(authority, AfipAuthority)
    quick = evolve(
        authority,
        operation_timeout=answer_within / 2,
        sent_within=answer_within / 3,
        breaker=Breaker("AFIP", rest=1.0),
    )
    rules = InvoicingRules(answer_within=timedelta(seconds=answer_within))
    return evolve(app.invoicing, authority=quick, rules=rules)


def acting(tenant: str, *, who: str) -> Actor:
    return Actor(tenant=tenant, id=who, role="service", correlation=who)


def work(orders: Connection, environ: Mapping[str, str], directory: Path, answer_within: float, name: str) -> None:
    """Follow orders until there are no more; answer each with a list of `Outcome`."""
    asyncio.run(_work(orders, environ, directory, answer_within, name))


async def _work(
    orders: Connection, environ: Mapping[str, str], directory: Path, answer_within: float, name: str
) -> None:
    async with build(read_settings(environ, directory=directory)).running() as app:
        invoicing = hurried(app, answer_within=answer_within)
        orders.send("ready")
        while (order := await asyncio.to_thread(orders.recv)) is not None:
            orders.send(await _follow(app, invoicing, order, acting(order.tenant, who=name)))


async def _follow(app: App, invoicing: Invoicing, order: Order, actor: Actor) -> Sequence[Outcome]:
    said = broken = ""
    try:
        if order.drafts:
            await invoicing.issue_many(actor=actor, invoice_ids=order.drafts)
        else:
            await invoicing.invoice(actor=actor, job_id=order.jobs[0])
    except CuadrillaError as error:
        said = error.code
        if isinstance(error, Unavailable):
            await asyncio.sleep(BREATH)
    except Exception:  # whatever it is, it is told
        broken = traceback.format_exc()
    outcomes = []
    for job in order.jobs:
        invoice = await app.store.invoices.of_job(order.tenant, job)
        named, state = (None, "none") if invoice is None else (invoice.id, invoice.state)
        outcomes.append(Outcome(job=job, invoice=named, state=state, said=said, broken=broken))
    return outcomes

"""`cuadrilla invoices`: issue, show, print and reconcile vouchers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App as CommandLine
from cyclopts import Parameter
from rich.text import Text

from core.kernel.actor import Actor
from entrypoints.cli.terminal import OUT, AsJson, run_to_end, running_app

if TYPE_CHECKING:
    from core.invoicing import Exchange, Invoice
    from entrypoints.wiring import App

INVOICES: Final = CommandLine(name="invoices", help="Electronic invoices.")
Tenant = Annotated[str, Parameter(name="--tenant", help="The business.")]


@INVOICES.command
def issue(*ids: str, tenant: Tenant, json_: AsJson = False) -> None:
    """Have drafts authorised, many in one request; an id is an invoice's, or a completed job's, which is charged.

    Exit status 0 also when AFIP refused some: each line says what became of it.
    """

    async def go() -> Sequence[Invoice]:
        async with running_app() as app:
            actor = _actor(app, tenant)
            jobs = [each for each in ids if each.startswith("job_")]
            charged = [await app.invoicing.invoice(actor=actor, job_id=each) for each in jobs]
            drafts = [each for each in ids if each not in jobs]
            return [*charged, *await app.invoicing.issue_many(actor=actor, invoice_ids=drafts)]

    issued = run_to_end(go())
    if json_:
        OUT.print_json(json.dumps([_plain(each) for each in issued]))
        return
    for each in issued:
        why = "; ".join(map(str, each.errors))
        OUT.print(Text(f"{each.id}  {each.state:<11} {each.printed_number if each.number else '-':<14} {why}"))


@INVOICES.command
def show(id_: str, *, tenant: Tenant, json_: AsJson = False) -> None:
    """Show a voucher and what was said between AFIP and us about it, without the access ticket."""

    async def go() -> tuple[Invoice, Sequence[Exchange]]:
        async with running_app() as app:
            actor = _actor(app, tenant)
            invoice = await app.invoicing.show(actor=actor, invoice_id=id_)
            return invoice, await app.invoicing.exchanges(actor=actor, invoice_id=id_)

    import msgspec
    from rich.table import Table

    invoice, exchanges = run_to_end(go())
    if json_:
        OUT.print_json(json.dumps({"invoice": _plain(invoice), "exchanges": msgspec.to_builtins(exchanges)}))
        return
    facts = Table.grid(padding=(0, 2))
    yes = invoice.authorisation
    for name, value in (
        ("voucher", f"{invoice.kind} {invoice.letter} {invoice.printed_number if invoice.number else ''}"),
        ("state", invoice.state),
        ("receiver", invoice.receiver.name),
        ("total", f"{invoice.totals.total} {invoice.currency}"),
        ("issued on", str(invoice.issued_on or "-")),
        ("CAE", f"{yes.cae}, valid until {yes.expires_on}" if yes else "-"),
        ("corrects", ", ".join(each.invoice_id for each in invoice.corrects) or "-"),
        ("AFIP says", "; ".join(map(str, yes.observations if yes else invoice.errors)) or "-"),
    ):
        facts.add_row(name, Text(value))
    OUT.print(facts)
    for each in exchanges:
        OUT.print(Text(f"\n{each.at:%Y-%m-%d %H:%M:%S} {each.operation} {each.failure}", style="bold"))
        OUT.print(Text(f"{each.request}\n{each.response}"))


@INVOICES.command
def pdf(
    id_: str, *, tenant: Tenant, copy: Literal["original", "duplicate", "both"] = "original", to: Path | None = None
) -> None:
    """Write an issued voucher as PDF, into the folder it is called from and under AFIP's file name unless `--to` says where."""

    async def go() -> tuple[str, bytes]:
        async with running_app() as app:
            return await app.invoicing.pdf(actor=_actor(app, tenant), invoice_id=id_, copy=copy)

    filename, content = run_to_end(go())
    target = to or Path(filename)
    target.write_bytes(content)
    OUT.print(Text(str(target)))


@INVOICES.command
def credit(
    id_: str,
    *,
    tenant: Tenant,
    reason: str,
    amount: Decimal | None = None,
    period: tuple[datetime, datetime] | None = None,
    annuls: bool = False,
    json_: AsJson = False,
) -> None:
    """Take an issued invoice back: an amount with its taxes, or all that is left of it.

    With `--period`, a first and a last day, AFIP is told the period instead of the invoice; `--annuls` says that the receiver
    refused a MiPyME credit invoice.
    """
    days = None if period is None else (period[0].date(), period[1].date())

    async def go() -> Invoice:
        async with running_app() as app:
            return await app.invoicing.credit(
                actor=_actor(app, tenant), invoice_id=id_, reason=reason, amount=amount, period=days, annuls=annuls
            )

    note = run_to_end(go())
    if json_:
        OUT.print_json(json.dumps(_plain(note)))
        return
    number = note.printed_number if note.number else "-"
    OUT.print(Text(f"{note.id}  {note.state:<11} {number:<14} {note.totals.total} {note.currency}"))


@INVOICES.command
def reconcile() -> None:
    """Ask AFIP what became of invoices whose answer was lost."""

    async def go() -> int:
        async with running_app() as app:
            return await app.invoicing.settle_unanswered()

    looked_at = run_to_end(go())
    OUT.print(f"{looked_at} invoices looked at")


def _actor(app: App, tenant: str) -> Actor:
    return Actor(tenant=tenant, id="command_line", role="service", correlation=app.new_id("corr"))


def _plain(invoice: Invoice) -> Any:
    import msgspec

    from entrypoints.http.views import InvoiceView

    return msgspec.to_builtins(InvoiceView.of(invoice))

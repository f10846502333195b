"""The vouchers: what AFIP authorised, what it refused, and what still waits for its word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from core.invoicing import COPIES, OPEN, Invoice, NotAcceptable, NotIssued, Refused, explained, left_of, total_of
from core.invoicing.voucher import TAX_NAMES
from core.jobs import Job
from core.kernel.errors import Conflict, NotFound, StaleVersion, Unavailable
from core.kernel.ports import AnswerLost, KeptAnswer
from entrypoints.console.pages import HEADERS, page, say
from entrypoints.console.turn import Given, Turn, Unreadable

VOUCHERS: Final = "/app/invoices"
GROUPS: Final = {
    "waiting": ("unknown", "pending_cae"),
    "cae_failed": ("cae_failed",),
    "draft": ("draft",),
    "issued": ("issued",),
}
"""What can be asked for, and the states that it means; people need not tell both ways of waiting apart to filter."""
SETTLED: Final = tuple(state for name, states in GROUPS.items() if name != "waiting" for state in states)
_PAGE: Final = 30
_ON_TOP: Final = 10
"""Of each kind of waiting; the rest is behind the filter."""
_NOTES: Final = 100
_REASON: Final = 200
_SEEN: Final = re.compile(r"\d{1,4}:\d{1,20}\.\d\d")
_LEASE: Final = timedelta(seconds=60)
_LIFE: Final = timedelta(hours=24)
_SAID: Final = {"running": "invoices.running", "silent": "invoices.silent"}


async def list_vouchers(turn: Turn) -> Response:
    """Show the vouchers, the newest first, and above them those that wait for AFIP."""
    query = turn.request.query_params
    chosen = query.get("state") if query.get("state") in GROUPS else None
    cursor = query.get("cursor") or None
    vouchers, older = await turn.app.invoicing.list(
        actor=turn.actor, states=GROUPS[chosen] if chosen else SETTLED, limit=_PAGE, cursor=cursor
    )
    waiting, more = ([], False) if chosen or cursor else await _waiting(turn)
    return await page(
        turn,
        "invoices.html",
        waiting=waiting,
        more=more,
        vouchers=vouchers,
        cursor=older,
        chosen=chosen,
        paged=cursor is not None,
        groups=tuple(GROUPS),
        explained=explained,
    )


async def show(turn: Turn) -> Response:
    """Show one voucher with everything about it."""
    invoice = await _found(turn)
    return await page(turn, "invoice.html", said=_said(turn, invoice), **await _about(turn, invoice))


async def pdf(turn: Turn) -> Response:
    """Hand out the voucher as PDF, the original or the `copy` asked for; one that is not issued has none, and its page says why."""
    copy = turn.request.query_params.get("copy") or "original"
    if copy not in COPIES:
        msg = "there is no such copy"
        raise Unreadable(msg)
    try:
        filename, content = await turn.app.invoicing.pdf(actor=turn.actor, invoice_id=_id(turn), copy=copy)
    except NotIssued:
        return turn.go(f"{VOUCHERS}/{_id(turn)}")
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(content, media_type="application/pdf", headers=headers)


async def ask_credit(turn: Turn) -> Response:
    """Ask whether the whole of a voucher, or what is left of it, shall be taken back, and why."""
    turn.actor.must("invoices.write")
    invoice = await _found(turn)
    about = await _about(turn, invoice)
    if not about["left"]:
        return turn.go(f"{VOUCHERS}/{invoice.id}")
    return await page(turn, "credit.html", **about)


async def credit(turn: Turn) -> Response:
    """Take back what is left of a voucher, once, however often and from however many tabs the form is sent."""
    turn.actor.must("invoices.write")
    invoice = await _found(turn)
    given = {"reason": turn.text("reason")[:_REASON], "annuls": turn.text("annuls")}
    if not given["reason"]:
        problems = {"reason": say(turn.language, "problem.reason")}
        return await page(
            turn, "credit.html", status=422, problems=problems, given=given, **await _about(turn, invoice)
        )
    try:
        return turn.go(await _once(turn, invoice, given["reason"], annuls=bool(given["annuls"])))
    except NotAcceptable as error:
        rules = [each.rule if turn.language == "en" else each.rule_es for each in error.findings]
        about = await _about(turn, invoice)
        return await page(turn, "credit.html", status=422, problems={"": " ".join(rules)}, given=given, **about)


async def issue(turn: Turn) -> Response:
    """Ask AFIP to authorise a draft or refused voucher as it stands."""
    invoice = await _found(turn, "invoices.write")
    try:
        await turn.app.invoicing.issue(actor=turn.actor, invoice_id=invoice.id)
    except NotAcceptable as error:
        rules = [each.rule if turn.language == "en" else each.rule_es for each in error.findings]
        invoice = await _found(turn)
        return await page(
            turn, "invoice.html", status=422, problems={"": " ".join(rules)}, **await _about(turn, invoice)
        )
    except Refused:
        return turn.go(f"{VOUCHERS}/{invoice.id}")
    except Unavailable:
        return turn.go(f"{VOUCHERS}/{invoice.id}?said=silent")
    return turn.go(f"{VOUCHERS}/{invoice.id}?said=asked")


async def settle(turn: Turn) -> Response:
    """Ask AFIP what became of a voucher whose answer was lost."""
    invoice = await _found(turn, "invoices.write")
    try:
        await turn.app.invoicing.settle(actor=turn.actor, invoice_id=invoice.id)
    except Refused:
        return turn.go(f"{VOUCHERS}/{invoice.id}")
    except (Unavailable, StaleVersion):
        return turn.go(f"{VOUCHERS}/{invoice.id}?said=silent")
    return turn.go(f"{VOUCHERS}/{invoice.id}?said=asked")


async def _once(turn: Turn, invoice: Invoice, reason: str, *, annuls: bool) -> str:
    """Make the note, unless somebody did who saw the same left, and return the page that shows what came of it.

    What the form saw is the key: it is the same in every tab and for every colleague until a note changes it.
    """
    seen, keys, actor = turn.secret("seen"), turn.app.idempotency, turn.actor
    if not _SEEN.fullmatch(seen):
        msg = "the form does not say what it saw"
        raise Unreadable(msg)
    here = f"{VOUCHERS}/{invoice.id}"
    try:
        claim = await keys.claim(
            tenant=actor.tenant,
            scope=f"console:invoices:{invoice.id}:credit",
            key=seen,
            fingerprint=invoice.id,
            lease=_LEASE,
            life=_LIFE,
        )
    except AnswerLost:  # its note is among those of the invoice
        return here
    if claim is None:
        return f"{here}?said=running"
    if isinstance(claim, KeptAnswer):
        return claim.body.decode()
    try:
        notes = await _notes(turn, invoice)
        if _as_seen(invoice, notes) != seen:
            msg = "what is left of the invoice has changed"
            raise Conflict(msg)
        with keys.within(claim):
            path = await _credited(turn, invoice, reason, {(note.id, note.version) for note in notes}, annuls=annuls)
    except BaseException:
        await keys.release(claim)
        raise
    kept = KeptAnswer(status=303, content_type="text/plain", body=path.encode())
    await keys.keep(claim, kept, life=_LIFE)
    return path


async def _credited(turn: Turn, invoice: Invoice, reason: str, known: set[tuple[str, int]], *, annuls: bool) -> str:
    """Make the note and return its page; a note that AFIP refused or could not be asked about is there as well."""
    try:
        note = await turn.app.invoicing.credit(actor=turn.actor, invoice_id=invoice.id, reason=reason, annuls=annuls)
    except (Refused, Unavailable) as error:
        made = [each for each in await _notes(turn, invoice) if (each.id, each.version) not in known]
        if not made:
            raise
        return f"{VOUCHERS}/{made[-1].id}" + ("?said=silent" if isinstance(error, Unavailable) else "")
    return f"{VOUCHERS}/{note.id}?said=credited"


async def _waiting(turn: Turn) -> tuple[list[Invoice], bool]:
    """Return what waits for AFIP, the unanswered first, and whether there is more of it."""
    found, more = list[Invoice](), False
    for state in GROUPS["waiting"]:
        some, cursor = await turn.app.invoicing.list(actor=turn.actor, states=(state,), limit=_ON_TOP)
        found, more = [*found, *some], more or cursor is not None
    return found, more


async def _about(turn: Turn, invoice: Invoice) -> Given:
    notes = await _notes(turn, invoice)
    creditable = invoice.kind == "invoice" and invoice.state == "issued"
    writes = turn.actor.may("invoices.write")
    return {
        "invoice": invoice,
        "notes": notes,
        "job": await _job(turn, invoice),
        "left": total_of(left_of(invoice, notes)) if creditable and writes else None,
        "seen": _as_seen(invoice, notes) if creditable else "",
        "writes": writes,
        "open": invoice.state in OPEN,
        "explained": explained,
        "tax_names": TAX_NAMES,
        "reason_at_most": _REASON,
    }


def _as_seen(invoice: Invoice, notes: Sequence[Invoice]) -> str:
    """Return what tells one moment of an invoice from the next, as far as credit notes go."""
    return f"{len(notes)}:{total_of(left_of(invoice, notes))}"


async def _notes(turn: Turn, invoice: Invoice) -> list[Invoice]:
    """Return the notes that correct an invoice, the oldest first."""
    if invoice.kind != "invoice" or invoice.job_id is None:
        return []
    of_job, _ = await turn.app.invoicing.list(actor=turn.actor, job_id=invoice.job_id, limit=_NOTES)
    return [each for each in reversed(of_job) if any(named.invoice_id == invoice.id for named in each.corrects)]


async def _job(turn: Turn, invoice: Invoice) -> Job | None:
    if invoice.job_id is None or not turn.actor.may("jobs.read"):
        return None
    try:
        return await turn.app.jobs.show(actor=turn.actor, job_id=invoice.job_id)
    except NotFound:
        return None


async def _found(turn: Turn, also: str | None = None) -> Invoice:
    if also is not None:
        turn.actor.must(also)
    return await turn.app.invoicing.show(actor=turn.actor, invoice_id=_id(turn))


def _id(turn: Turn) -> str:
    wanted: str = turn.request.path_params["id"]
    return wanted


def _said(turn: Turn, invoice: Invoice) -> str | None:
    """Return what came of what somebody has just done, as the voucher is now."""
    said = turn.request.query_params.get("said", "")
    if said in {"asked", "credited"}:
        return say(turn.language, f"invoices.asked.{invoice.state}")
    return say(turn.language, _SAID[said]) if said in _SAID else None

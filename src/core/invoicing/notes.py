"""What notes leave of an invoice, by its parts, and how an amount is spread over them to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final, NoReturn, TypeAlias

from attrs import frozen

from core.invoicing.model import OPEN, Invoice
from core.invoicing.preflight import Finding, NotAcceptable
from core.invoicing.terms import Tax
from core.kernel.money import CENT, Line, RateTotal, cents

NOTHING: Final = Decimal("0.00")


@frozen(order=True)
class Part:
    """Lines of one treatment and VAT rate, or (`tax`) one of the other taxes."""

    treatment: str
    rate: Decimal
    tax: int = 0
    description: str = ""


@frozen
class Share:
    """What a part comes to. The base of a tax is no money of its own."""

    base: Decimal = NOTHING
    tax: Decimal = NOTHING

    def __add__(self, other: Share) -> Share:
        return Share(self.base + other.base, self.tax + other.tax)

    def __sub__(self, other: Share) -> Share:
        return Share(self.base - other.base, self.tax - other.tax)


Left: TypeAlias = Mapping[Part, Share]


@frozen
class Credit:
    """What a credit note takes: its lines and taxes, and the VAT that makes the parts add up to the whole."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    exact: tuple[RateTotal, ...]


def parts_of(lines: Iterable[Line], taxes: Iterable[Tax], rates: Iterable[RateTotal]) -> dict[Part, Share]:
    """Return a voucher's parts."""
    found: dict[Part, Share] = {Part("taxed", each.rate): Share(each.base, each.vat) for each in rates}
    for line in lines:
        if line.treatment != "taxed":
            part = Part(line.treatment, Decimal(0))
            found[part] = found.get(part, Share()) + Share(line.net)
    for tax in taxes:
        part = Part("tax", tax.rate, tax.id, tax.description)
        found[part] = found.get(part, Share()) + Share(tax.base, tax.amount)
    return found


def left_of(original: Invoice, notes: Sequence[Invoice], *, since: datetime | None = None) -> Left:
    """Return what may still be credited: the original and its issued debit notes, less credit notes that AFIP has or may have.

    With `since`, drafts that are on their way to AFIP since that instant count as well.
    """
    left = _parts(original)
    for note in notes:
        if note.kind == "debit_note" and note.state == "issued":
            for part, share in _parts(note).items():
                left[part] = left.get(part, Share()) + share
    for note in notes:
        if note.kind == "credit_note" and (note.state in {*OPEN, "issued"} or note.doubts or on_its_way(note, since)):
            for part, share in _parts(note).items():
                left[part] = left.get(part, Share()) - share
    return {part: share for part, share in left.items() if share.base > 0 or part.treatment == "tax"}


def on_its_way(note: Invoice, since: datetime | None) -> bool:
    """Whether a draft is about to be asked for; one that has rested, or whose process died, is not."""
    asked = note.submitted_at
    return note.state == "draft" and asked is not None and since is not None and asked >= since


def total_of(left: Left) -> Decimal:
    """Return what the parts come to."""
    return sum((_gross(part, share) for part, share in left.items()), NOTHING)


def everything(original: Invoice, left: Left) -> Credit:
    """Return a credit of all that is left: the original's own lines if nothing was credited before."""
    if left == _parts(original):
        return Credit(original.lines, original.terms.taxes, original.totals.rates)
    return _credit({part: share for part, share in left.items() if _gross(part, share)}, left)


def of_amount(amount: Decimal, left: Left) -> Credit:
    """Return a credit of an amount, taxes included, spread over the parts in proportion; raise `NotAcceptable` above what is left."""
    total = total_of(left)
    if amount <= 0 or amount % CENT:
        _refuse(
            "amount", "El importe es mayor que cero y tiene dos decimales.", "an amount is above zero and has cents"
        )
    if amount > total:
        _too_much("amount", total)
    wanted = {part: _gross(part, share) for part, share in left.items() if _gross(part, share)}
    spread = {
        part: (gross * amount / total).quantize(CENT, rounding=ROUND_DOWN) for part, gross in sorted(wanted.items())
    }
    missing = amount - sum(spread.values(), NOTHING)
    for part, gross in spread.items():
        more = min(missing, wanted[part] - gross)
        spread[part] += more
        missing -= more
    return _credit({part: _share(part, gross, left[part]) for part, gross in spread.items() if gross}, left)


def of_lines(lines: tuple[Line, ...], taxes: tuple[Tax, ...], rates: Sequence[RateTotal], left: Left) -> Credit:
    """Return a credit of lines; raise `NotAcceptable` if a part of them is above what is left of it."""
    exact = []
    for part, share in parts_of(lines, taxes, rates).items():
        rest = left.get(part, Share())
        if share.base > rest.base or (part.treatment == "tax" and share.tax > rest.tax):
            _too_much("items", total_of(left))
        if part.treatment == "taxed":
            vat = rest.tax if share.base == rest.base else min(share.tax, rest.tax)
            exact.append(RateTotal(part.rate, share.base, vat))
    return Credit(lines, taxes, tuple(exact))


def _parts(invoice: Invoice) -> dict[Part, Share]:
    return parts_of(invoice.lines, invoice.terms.taxes, invoice.totals.rates)


def _gross(part: Part, share: Share) -> Decimal:
    return share.tax if part.treatment == "tax" else share.base + share.tax


def _share(part: Part, gross: Decimal, rest: Share) -> Share:
    """Return the share of a part that comes to `gross`: the base from the price with tax, rounded, and the tax the difference."""
    if gross == _gross(part, rest):
        return rest
    if part.treatment == "tax":
        return Share(cents(rest.base * gross / rest.tax), gross)
    vat = min(gross - cents(gross / (1 + part.rate / 100)), rest.tax)
    base = min(gross - vat, rest.base)
    if base == rest.base > CENT:  # VAT without a base would be left, which no voucher can credit
        base -= CENT
    return Share(base, gross - base)


def _credit(shares: Left, left: Left) -> Credit:
    names = {"taxed": "Crédito, IVA {rate} %", "exempt": "Crédito, exento", "not_taxed": "Crédito, no gravado"}
    lines = tuple(
        Line(
            description=names[part.treatment].format(rate=f"{part.rate.normalize():f}".replace(".", ",")),
            quantity=Decimal(1),
            unit_price=share.base,
            vat_rate=part.rate,
            treatment=part.treatment,
        )
        for part, share in sorted(shares.items())
        if part.treatment != "tax"
    )
    taxes = tuple(
        Tax(id=part.tax, base=share.base, rate=part.rate, amount=share.tax, description=part.description)
        for part, share in sorted(shares.items())
        if part.treatment == "tax"
    )
    exact = tuple(
        RateTotal(part.rate, share.base, share.tax)
        for part, share in sorted(shares.items())
        if part.treatment == "taxed"
    )
    if not lines and not taxes:
        _too_much("amount", total_of(left))
    return Credit(lines, taxes, exact)


def _too_much(field: str, rest: Decimal) -> NoReturn:
    shown = f"{rest:,.2f}".translate(str.maketrans(",.", ".,"))
    _refuse(
        field,
        f"La nota de crédito supera lo que queda del comprobante: $ {shown}.",
        f"the credit note is above what is left of the voucher, {rest}",
        10237,
    )


def refuse_without_reason() -> NoReturn:
    """Say that a note has a reason."""
    _refuse("reason", "Una nota dice por qué se hace.", "a note says why")


def refuse_annulment() -> NoReturn:
    """Say that only a MiPyME credit voucher is annulled."""
    _refuse(
        "annuls",
        "Solo una factura de crédito MiPyME se anula por rechazo del receptor.",
        "only a MiPyME credit invoice is annulled because its receiver refused it",
    )


def _refuse(field: str, rule_es: str, rule: str, code: int | None = None) -> NoReturn:
    raise NotAcceptable([Finding(field=field, code=code, rule_es=rule_es, rule=rule)])

"""A tax authority that numbers like AFIP and forgets nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from attrs import define, field, frozen

from adapters.memory.pauses import Pause, Steps, at_once
from core.invoicing import AnswerLost, Authorisation, Corrected, Found, Invoice, Observation, Refused, Series

CAE_LIFE = timedelta(days=10)
OUT_OF_ORDER = 10016
"""AFIP's code for a number or date that does not follow the last one authorised."""
UNKNOWN_DOCUMENT = 10015
OUT_OF_ORDER_TEXT = "El numero o fecha del comprobante no se corresponde con el proximo a autorizar"


class Delayed(AnswerLost):
    """Raised by a pause before the effect: the request is under way, and nobody waits for its answer any more."""


@frozen(kw_only=True)
class Voucher:
    """What the authority has under a number; `invoice_id` is ours and no business of AFIP's."""

    number: int
    invoice_id: str
    job_id: str | None
    document: tuple[int, int]
    total: Decimal
    issued_on: date | None
    authorisation: Authorisation
    corrects: tuple[Corrected, ...] = ()


@define
class MemoryTaxAuthority:
    """`core.invoicing.ports.TaxAuthority`.

    A pause that raises `AnswerLost` after the effect is the authorised voucher whose CAE nobody heard; one that raises
    `Refused` or `Unavailable` before it, the request that changed nothing; one that raises `Delayed`, the request that `arrive`
    lets arrive.
    """

    _pause: Pause = at_once
    most: int = 250
    refuses: frozenset[str] = frozenset()
    """Vouchers whose first line says one of these get a no."""
    series: dict[Series, list[Voucher]] = field(factory=dict, init=False)
    under_way: list[tuple[Invoice, ...]] = field(factory=list, init=False)

    async def last_authorised(self, tenant: str, series: Series) -> int:  # noqa: ARG002 - AFIP knows the CUIT only
        """Return the highest authorised number of the series, 0 before the first."""
        return await Steps(self._pause)("tax_authority.last_authorised", lambda: len(self.series.get(series, ())))

    async def authorise(self, invoice: Invoice) -> Authorisation:
        """Give a CAE to the next number of the series; raise `Refused` for any other."""
        with self._under_way(invoice):
            return await Steps(self._pause)("tax_authority.authorise", lambda: self._authorise(invoice))

    async def authorise_many(self, invoices: Sequence[Invoice]) -> Sequence[Authorisation | Refused | None]:
        """Give CAEs in order until one is refused; those after it are not considered."""
        with self._under_way(*invoices):
            return await Steps(self._pause)("tax_authority.authorise_many", lambda: self._authorise_many(invoices))

    def arrive(self, place: int = 0) -> None:
        """Let a request that is under way arrive; nobody hears the answer."""
        self._authorise_many(self.under_way.pop(place))

    async def most_at_once(self, tenant: str, series: Series) -> int:  # noqa: ARG002 - AFIP's limit is everybody's
        """Return how many vouchers fit one request."""
        return await Steps(self._pause)("tax_authority.most_at_once", lambda: self.most)

    async def find(self, invoice: Invoice) -> Found | None:
        """Return what is under the invoice's number, or None if nothing."""

        def found() -> Found | None:
            vouchers = self.series.get(invoice.series, [])
            if invoice.number is None or not 0 < invoice.number <= len(vouchers):
                return None
            voucher = vouchers[invoice.number - 1]
            same = (voucher.document, voucher.total, voucher.issued_on, voucher.corrects) == (
                invoice.document,
                invoice.totals.total,
                invoice.issued_on,
                invoice.named,
            )
            return Found(same=same, authorisation=voucher.authorisation)

        return await Steps(self._pause)("tax_authority.find", found)

    @contextlib.contextmanager
    def _under_way(self, *invoices: Invoice) -> Iterator[None]:
        try:
            yield
        except Delayed:
            self.under_way.append(invoices)
            raise

    def _authorise_many(self, invoices: Sequence[Invoice]) -> list[Authorisation | Refused | None]:
        given: list[Authorisation | Refused | None] = []
        for invoice in invoices:
            if given and not isinstance(given[-1], Authorisation):
                given.append(None)
                continue
            try:
                given.append(self._authorise(invoice))
            except Refused as refusal:
                given.append(refusal)
        return given

    def _authorise(self, invoice: Invoice) -> Authorisation:
        if invoice.lines and invoice.lines[0].description in self.refuses:
            raise Refused([Observation(UNKNOWN_DOCUMENT, "El documento del receptor no se encuentra en el padron")])
        vouchers = self.series.setdefault(invoice.series, [])
        newest = max((voucher.issued_on for voucher in vouchers if voucher.issued_on), default=date.min)
        if invoice.number != len(vouchers) + 1 or invoice.issued_on is None or invoice.issued_on < newest:
            raise Refused([Observation(OUT_OF_ORDER, OUT_OF_ORDER_TEXT)])
        given = sum(map(len, self.series.values())) + 1
        authorisation = Authorisation(cae=f"7{given:013}", expires_on=invoice.issued_on + CAE_LIFE)
        vouchers.append(
            Voucher(
                number=invoice.number,
                invoice_id=invoice.id,
                job_id=invoice.job_id,
                document=invoice.document,
                total=invoice.totals.total,
                issued_on=invoice.issued_on,
                authorisation=authorisation,
                corrects=invoice.named,
            )
        )
        return authorisation

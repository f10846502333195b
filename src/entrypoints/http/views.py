"""What requests and answers look like; each class is a shape in the OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from attrs import evolve, frozen

from core.customers import Customer
from core.identity import User
from core.invoicing import Corrected, Invoice, Mipyme, Observation, Tax, Terms, explained
from core.invoicing.voucher import number_text
from core.jobs import Job, Place, TimelineEntry
from core.kernel.money import Line, Totals, cents
from core.notifications import Delivery
from core.tracking import Progress


@frozen(kw_only=True)
class LocationView:
    """Where the work is; lat and lng in WGS 84 degrees."""

    address: str | None = None
    lat: float | None = None
    lng: float | None = None

    def place(self) -> Place:
        return Place(address=self.address, lat=self.lat, lng=self.lng)


@frozen(kw_only=True)
class LineView:
    """Quantity, unit price without VAT, discount and VAT rate in percent (21, or 0 for what is not taxed).

    `treatment` is taxed, exempt or not_taxed.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = Decimal(0)
    vat_rate: Decimal | None = None
    treatment: str = "taxed"

    def line(self) -> Line:
        usual = Decimal(21 if self.treatment == "taxed" else 0)
        return Line(
            description=self.description,
            quantity=self.quantity,
            unit_price=self.unit_price,
            discount=self.discount,
            vat_rate=usual if self.vat_rate is None else self.vat_rate,
            treatment=self.treatment,
        )

    @classmethod
    def of(cls, line: Line) -> LineView:
        return cls(
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount=line.discount,
            vat_rate=line.vat_rate,
            treatment=line.treatment,
        )


@frozen(kw_only=True)
class RateView:
    """The taxed base of one VAT rate and its tax."""

    rate: Decimal
    base: Decimal
    vat: Decimal


@frozen(kw_only=True)
class TotalsView:
    """Taxed net, VAT by rate, what is not taxed or exempt, other taxes, and total."""

    net: Decimal
    vat: Decimal
    not_taxed: Decimal
    exempt: Decimal
    taxes: Decimal
    total: Decimal
    currency: str
    rates: tuple[RateView, ...]

    @classmethod
    def of(cls, sums: Totals) -> TotalsView:
        return cls(
            net=cents(sums.net),
            vat=cents(sums.vat),
            not_taxed=cents(sums.not_taxed),
            exempt=cents(sums.exempt),
            taxes=cents(sums.taxes),
            total=cents(sums.total),
            currency=sums.currency,
            rates=tuple(RateView(rate=r.rate, base=r.base, vat=r.vat) for r in sums.rates),
        )


@frozen(kw_only=True)
class PhotoView:
    """A picture of the work; fetch it at `url`."""

    id: str
    content_type: str
    size: int
    at: datetime
    url: str


@frozen(kw_only=True)
class SignatureView:
    """The customer's signature; fetch it at `url`."""

    signed_by: str
    at: datetime
    url: str


@frozen(kw_only=True)
class JobView:
    """A job as it is now."""

    id: str
    status: str
    version: int
    title: str
    customer_id: str
    request: str
    trade: str | None
    urgency: str
    wanted_day: date | None
    wanted_part_of_day: str | None
    location: LocationView
    technician_id: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    lines: tuple[LineView, ...]
    totals: TotalsView
    notes: str
    photos: tuple[PhotoView, ...]
    signature: SignatureView | None
    invoice_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, job: Job) -> JobView:
        pictures = f"/api/v1/jobs/{job.id}/photos/"
        return cls(
            id=job.id,
            status=job.status,
            version=job.version,
            title=job.title,
            customer_id=job.customer_id,
            request=job.wish.text,
            trade=job.wish.trade,
            urgency=job.wish.urgency,
            wanted_day=job.wish.day,
            wanted_part_of_day=job.wish.part_of_day,
            location=LocationView(address=job.place.address, lat=job.place.lat, lng=job.place.lng),
            technician_id=job.technician_id,
            starts_at=job.starts_at,
            ends_at=job.ends_at,
            lines=tuple(map(LineView.of, job.lines)),
            totals=TotalsView.of(job.totals),
            notes=job.notes,
            photos=tuple(
                PhotoView(id=p.id, content_type=p.content_type, size=p.size, at=p.at, url=pictures + p.id)
                for p in job.photos
            ),
            signature=SignatureView(
                signed_by=job.signature.signed_by, at=job.signature.at, url=pictures + job.signature.media_id
            )
            if job.signature
            else None,
            invoice_id=job.invoice_id,
            created_at=job.created_at,
        )


@frozen(kw_only=True)
class NewJob:
    """A visit that a customer wants."""

    customer_id: str
    title: str
    request: str = ""
    trade: str | None = None
    urgency: str = "normal"
    wanted_day: date | None = None
    wanted_part_of_day: str | None = None
    location: LocationView = LocationView()


@frozen(kw_only=True)
class JobChange:
    """What to correct; absent fields stay as they are."""

    version: int | None = None
    title: str | None = None
    notes: str | None = None
    location: LocationView | None = None


@frozen(kw_only=True)
class Transition:
    """Where the job shall go, and what that move needs.

    `scheduled` takes technicianId, startsAt, endsAt and a location; `completed` takes lines and notes; `cancelled` takes the reason.
    """

    to: str
    version: int | None = None
    technician_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    location: LocationView | None = None
    lines: tuple[LineView, ...] = ()
    notes: str = ""
    reason: str | None = None


@frozen(kw_only=True)
class EntryView:
    """One thing that happened; `actor` is who or what did it, `causation` the entry it follows from."""

    id: str
    at: datetime
    kind: str
    actor: str
    causation: str | None
    data: dict[str, object]

    @classmethod
    def of(cls, entry: TimelineEntry) -> EntryView:
        return cls(
            id=entry.id, at=entry.at, kind=entry.kind, actor=entry.actor, causation=entry.causation, data=entry.data
        )


@frozen(kw_only=True)
class TimelineView:
    """All that happened to a job, message to invoice, in order."""

    items: tuple[EntryView, ...]


@frozen(kw_only=True)
class JobPage:
    """A page of jobs, the newest first."""

    items: tuple[JobView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class CustomerView:
    """A customer as they are now."""

    id: str
    version: int
    name: str
    phone: str | None
    vat_condition: str
    document_type: str
    document_number: str
    address: str
    created_at: datetime

    @classmethod
    def of(cls, customer: Customer) -> CustomerView:
        return cls(
            id=customer.id,
            version=customer.version,
            name=customer.name,
            phone=customer.phone,
            vat_condition=customer.vat_condition,
            document_type=customer.document_type,
            document_number=customer.document_number,
            address=customer.address,
            created_at=customer.created_at,
        )


@frozen(kw_only=True)
class NewCustomer:
    """Somebody whom work is done for."""

    name: str
    phone: str | None = None
    vat_condition: str = "consumidor_final"
    document_type: str = "none"
    document_number: str = ""
    address: str = ""


@frozen(kw_only=True)
class CustomerChange:
    """What to correct; absent fields stay as they are."""

    version: int | None = None
    name: str | None = None
    phone: str | None = None
    vat_condition: str | None = None
    document_type: str | None = None
    document_number: str | None = None
    address: str | None = None


@frozen(kw_only=True)
class CustomerPage:
    """A page of customers, the newest first."""

    items: tuple[CustomerView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class UserView:
    """A colleague; one who is not active has left."""

    id: str
    name: str
    role: str
    phone: str | None
    active: bool
    version: int

    @classmethod
    def of(cls, user: User) -> UserView:
        return cls(
            id=user.id, name=user.name, role=user.role, phone=user.phone, active=user.active, version=user.version
        )


@frozen(kw_only=True)
class NewUser:
    """Who works here from now on; they log in by a code on the phone, and by a password once they set one for the address."""

    name: str
    role: str
    phone: str
    email: str | None = None


@frozen(kw_only=True)
class UserChange:
    """What to change; absent fields stay as they are."""

    version: int | None = None
    name: str | None = None
    phone: str | None = None
    role: str | None = None
    active: bool | None = None


@frozen(kw_only=True)
class UserPage:
    """Colleagues by name."""

    items: tuple[UserView, ...]
    next_cursor: str | None = None


@frozen(kw_only=True)
class PositionReport:
    """A technician's position: degrees, accuracy in metres, speed in m/s, heading in degrees."""

    job_id: str
    lat: float
    lng: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    recorded_at: datetime | None = None


@frozen(kw_only=True)
class EtaView:
    """A time to arrival; the minutes are an 80 % interval, meaningless once `arriving`."""

    seconds: int
    low_minutes: int
    high_minutes: int
    arriving: bool


@frozen(kw_only=True)
class ProgressView:
    """Where a trip stands; distance in metres; `ignored` says why the position changed nothing."""

    eta: EtaView | None
    mode: str | None
    distance: int | None
    state: str
    ignored: str | None

    @classmethod
    def of(cls, progress: Progress) -> ProgressView:
        eta = progress.eta
        return cls(
            eta=EtaView(
                seconds=round(eta.seconds),
                low_minutes=eta.low_minutes,
                high_minutes=eta.high_minutes,
                arriving=eta.arriving,
            )
            if eta
            else None,
            mode=progress.journey.mode if progress.journey else None,
            distance=None if progress.distance is None else round(progress.distance),
            state=progress.session.state,
            ignored=progress.ignored,
        )


@frozen(kw_only=True)
class TaxView:
    """A perception or another tax: AFIP's id, its base and rate in percent, and what it comes to (base times rate if not given)."""

    id: int
    base: Decimal
    rate: Decimal
    amount: Decimal | None = None
    description: str = ""

    def tax(self) -> Tax:
        at_rate = Tax.at_rate(id_=self.id, base=self.base, rate=self.rate, description=self.description)
        return at_rate if self.amount is None else evolve(at_rate, amount=self.amount)

    @classmethod
    def of(cls, tax: Tax) -> TaxView:
        return cls(id=tax.id, base=tax.base, rate=tax.rate, amount=tax.amount, description=tax.description)


@frozen(kw_only=True)
class CreditTerms:
    """What makes it a MiPyME credit invoice: CBU of 22 digits, SCA or ADC, and if wanted an alias and a reference."""

    cbu: str
    transfer: str = "SCA"
    alias: str = ""
    reference: str = ""

    def mipyme(self) -> Mipyme:
        return Mipyme(cbu=self.cbu, transfer=self.transfer, alias=self.alias, reference=self.reference)


@frozen(kw_only=True)
class NewInvoice:
    """Charge a completed job; items default to the job's lines, and everything else to what is usual.

    `concept` is products, services or both; `rate` the pesos of one unit of `currency`; `mipyme` asks for a credit invoice.
    """

    job_id: str
    items: tuple[LineView, ...] | None = None
    concept: str | None = None
    service_from: date | None = None
    service_to: date | None = None
    due_on: date | None = None
    issued_on: date | None = None
    currency: str | None = None
    rate: Decimal = Decimal(1)
    paid_in_currency: bool = False
    taxes: tuple[TaxView, ...] = ()
    mipyme: CreditTerms | None = None

    def terms(self) -> Terms | None:
        wanted = Terms(
            concept=self.concept,
            service_from=self.service_from,
            service_to=self.service_to,
            due_on=self.due_on,
            issued_on=self.issued_on,
            rate=self.rate,
            paid_in_currency=self.paid_in_currency,
            taxes=tuple(each.tax() for each in self.taxes),
            mipyme=None if self.mipyme is None else self.mipyme.mipyme(),
        )
        return None if wanted == Terms() else wanted


@frozen(kw_only=True)
class NewCreditNote:
    """Take an issued invoice back: these items, or this amount with its taxes, or without either all that is left of it."""

    reason: str
    items: tuple[LineView, ...] | None = None
    taxes: tuple[TaxView, ...] = ()
    amount: Decimal | None = None
    issued_on: date | None = None


@frozen(kw_only=True)
class NewDebitNote:
    """Charge more on an issued invoice."""

    reason: str
    items: tuple[LineView, ...]
    taxes: tuple[TaxView, ...] = ()
    issued_on: date | None = None


@frozen(kw_only=True)
class AfipNote:
    """AFIP's own code and text; beside it, in Spanish, what it means and what to do, as far as we know."""

    code: int
    message: str
    meaning: str | None = None
    remedy: str | None = None

    @classmethod
    def of(cls, note: Observation) -> AfipNote:
        ours = explained(note.code)
        return cls(
            code=note.code,
            message=note.text,
            meaning=ours.meaning if ours else None,
            remedy=ours.remedy if ours else None,
        )


@frozen(kw_only=True)
class CorrectedView:
    """The voucher that a note corrects."""

    invoice_id: str
    voucher_type: int
    printed_number: str
    issued_on: date

    @classmethod
    def of(cls, each: Corrected) -> CorrectedView:
        return cls(
            invoice_id=each.invoice_id,
            voucher_type=each.voucher_type,
            printed_number=number_text(each.point_of_sale, each.number),
            issued_on=each.issued_on,
        )


@frozen(kw_only=True)
class ReceiverView:
    """Whom the invoice is for."""

    name: str
    vat_condition: str
    document_type: str
    document_number: str
    address: str


@frozen(kw_only=True)
class InvoiceView:
    """A voucher as it is now; `kind` is invoice, credit_note or debit_note, `state` draft, pending_cae, unknown, cae_failed or issued."""

    id: str
    version: int
    job_id: str | None
    kind: str
    state: str
    letter: str
    voucher_type: int
    point_of_sale: int
    number: int | None
    printed_number: str | None
    issued_on: date | None
    cae: str | None
    cae_expires_on: date | None
    receiver: ReceiverView
    lines: tuple[LineView, ...]
    taxes: tuple[TaxView, ...]
    totals: TotalsView
    rate: Decimal
    due_on: date | None
    reason: str
    corrects: tuple[CorrectedView, ...]
    observations: tuple[AfipNote, ...]
    pdf: str | None
    created_at: datetime

    @classmethod
    def of(cls, invoice: Invoice) -> InvoiceView:
        yes = invoice.authorisation
        notes = yes.observations if yes else invoice.errors
        return cls(
            id=invoice.id,
            version=invoice.version,
            job_id=invoice.job_id,
            kind=invoice.kind,
            state=invoice.state,
            letter=invoice.letter,
            voucher_type=invoice.voucher_type,
            point_of_sale=invoice.issuer.point_of_sale,
            number=invoice.number,
            printed_number=invoice.printed_number if invoice.number else None,
            issued_on=invoice.issued_on,
            cae=yes.cae if yes else None,
            cae_expires_on=yes.expires_on if yes else None,
            receiver=ReceiverView(
                name=invoice.receiver.name,
                vat_condition=invoice.receiver.vat_condition,
                document_type=invoice.receiver.document_type,
                document_number=invoice.receiver.document_number,
                address=invoice.receiver.address,
            ),
            lines=tuple(map(LineView.of, invoice.lines)),
            taxes=tuple(map(TaxView.of, invoice.terms.taxes)),
            totals=TotalsView.of(invoice.totals),
            rate=invoice.terms.rate,
            due_on=invoice.due_on,
            reason=invoice.reason,
            corrects=tuple(map(CorrectedView.of, invoice.corrects)),
            observations=tuple(map(AfipNote.of, notes)),
            pdf=f"/api/v1/invoices/{invoice.id}/pdf" if yes else None,
            created_at=invoice.created_at,
        )


@frozen(kw_only=True)
class InvoicePage:
    """A page of invoices, the newest first."""

    items: tuple[InvoiceView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class DeliveryView:
    """One message to one person, as the delivery log has it."""

    id: str
    template: str
    text: str
    channel: str
    state: str
    recipient_id: str
    recipient_name: str
    job_id: str | None
    attempts: int
    error_code: str | None
    error_text: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        return cls(
            id=delivery.id,
            template=delivery.template,
            text=delivery.text,
            channel=delivery.channel,
            state=delivery.state,
            recipient_id=delivery.recipient.id,
            recipient_name=delivery.recipient.name,
            job_id=delivery.job_id,
            attempts=delivery.attempts,
            error_code=delivery.error_code,
            error_text=delivery.error_text,
            created_at=delivery.created_at,
            updated_at=delivery.updated_at,
        )


@frozen(kw_only=True)
class DeliveryPage:
    """A page of the delivery log, the newest first."""

    items: tuple[DeliveryView, ...]
    next_cursor: str | None

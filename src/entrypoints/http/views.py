"""What requests and answers look like; each class is a shape in the OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from attrs import evolve, frozen

from core.customers import Customer
from core.identity import User
from core.invoicing import Corrected, Invoice, Mipyme, Observation, Tax, Terms, explained
from core.invoicing.voucher import number_text
from core.jobs import Job, Place, TimelineEntry
from core.kernel.errors import Invalid
from core.kernel.money import Line, Totals, cents
from core.notifications import CHANNELS, Delivery, Device, Preferences, QuietHours, wall_time
from core.tracking import Eta, Point, Progress, Recorded, Report
from entrypoints.http.problems import Malformed
from entrypoints.http.wire import Attempt


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
    email: str | None
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
            email=customer.email,
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
    email: str | None = None


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
    email: str | None = None


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
class FixReport:
    """A measured position: degrees, accuracy in metres, speed in m/s, heading in degrees; `recordedAt` is when, if not now."""

    lat: float
    lng: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    recorded_at: datetime | None = None

    def report(self) -> Report:
        return Report(
            point=Point(self.lat, self.lng),
            accuracy=self.accuracy,
            speed=self.speed,
            heading=self.heading,
            recorded_at=self.recorded_at,
        )


@frozen(kw_only=True)
class PositionReport:
    """A technician's position, in degrees, metres and m/s; or `fixes`, what the phone measured without signal, up to 500.

    Of `fixes` each is taken or refused by itself.
    """

    FORGIVING: ClassVar[bool] = True

    job_id: str
    lat: float | None = None
    lng: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    recorded_at: datetime | None = None
    fixes: tuple[Attempt[FixReport], ...] | None = None

    def point(self) -> Point:
        """Return the one position; raise `Malformed` if there is none."""
        if self.lat is None or self.lng is None:
            missing = "lat" if self.lat is None else "lng"
            msg = f"{missing} is missing"
            raise Malformed(msg, field=missing)
        return Point(self.lat, self.lng)


@frozen(kw_only=True)
class EtaView:
    """A time to arrival; the minutes are an 80 % interval, meaningless once `arriving`."""

    seconds: int
    low_minutes: int
    high_minutes: int
    arriving: bool

    @classmethod
    def of(cls, eta: Eta | None) -> EtaView | None:
        if eta is None:
            return None
        return cls(
            seconds=round(eta.seconds),
            low_minutes=eta.low_minutes,
            high_minutes=eta.high_minutes,
            arriving=eta.arriving,
        )


@frozen(kw_only=True)
class FixResultView:
    """What became of one of several fixes, by its place: accepted, ignored or refused.

    `reason` says why it was ignored or refused, `detail` and `field` what to correct, `noted` what was remarkable.
    """

    index: int
    result: str
    reason: str | None = None
    detail: str | None = None
    field: str | None = None
    noted: tuple[str, ...] = ()


@frozen(kw_only=True)
class ProgressView:
    """Where a trip stands; distance in metres; `ignored` says why the position changed nothing, `noted` what was remarkable.

    `results` has an entry for each of several fixes.
    """

    eta: EtaView | None
    mode: str | None
    distance: int | None
    state: str
    ignored: str | None
    noted: tuple[str, ...]
    results: tuple[FixResultView, ...]

    @classmethod
    def of(cls, progress: Progress, results: tuple[FixResultView, ...] = ()) -> ProgressView:
        return cls(
            eta=EtaView.of(progress.eta),
            mode=progress.journey.mode if progress.journey else None,
            distance=None if progress.distance is None else round(progress.distance),
            state=progress.session.state,
            ignored=progress.outcome.ignored,
            noted=progress.outcome.noted,
            results=results,
        )


@frozen(kw_only=True)
class FixView:
    """A fix as it is kept; `phone` tells a technician's phones apart, `remarks` say why it changed nothing or was remarkable."""

    lat: float
    lng: float
    accuracy: float | None
    speed: float | None
    heading: float | None
    recorded_at: datetime
    received_at: datetime
    trip_id: str
    phone: str
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, recorded: Recorded) -> FixView:
        fix = recorded.fix
        return cls(
            lat=fix.point.lat,
            lng=fix.point.lng,
            accuracy=fix.accuracy,
            speed=fix.speed,
            heading=fix.heading,
            recorded_at=fix.recorded_at,
            received_at=fix.received_at,
            trip_id=recorded.session_id,
            phone=recorded.phone,
            remarks=recorded.remarks,
        )


@frozen(kw_only=True)
class FixPage:
    """Fixes, the newest first."""

    items: tuple[FixView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class TripView:
    """A job's newest trip; the position is null when it is older than five minutes, `seenAt` says when it was measured."""

    id: str
    state: str
    technician_id: str
    opened_at: datetime
    expires_at: datetime
    arrived_at: datetime | None
    seen_at: datetime | None
    position: LocationView | None
    eta: EtaView | None
    mode: str | None
    distance: int | None

    @classmethod
    def of(cls, progress: Progress) -> TripView:
        session, journey = progress.session, progress.journey
        point = None if journey is None else journey.fix.point
        return cls(
            id=session.id,
            state=session.state,
            technician_id=session.technician_id,
            opened_at=session.opened_at,
            expires_at=session.expires_at,
            arrived_at=session.arrived_at,
            seen_at=progress.seen_at,
            position=None if point is None else LocationView(lat=point.lat, lng=point.lng),
            eta=EtaView.of(progress.eta),
            mode=None if journey is None else journey.mode,
            distance=None if progress.distance is None else round(progress.distance),
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

    def terms(self, taxes: tuple[Tax, ...]) -> Terms | None:
        wanted = Terms(
            concept=self.concept,
            service_from=self.service_from,
            service_to=self.service_to,
            due_on=self.due_on,
            issued_on=self.issued_on,
            rate=self.rate,
            paid_in_currency=self.paid_in_currency,
            taxes=taxes,
            mipyme=None if self.mipyme is None else self.mipyme.mipyme(),
        )
        return None if wanted == Terms() else wanted


@frozen(kw_only=True)
class NewCreditNote:
    """Take an issued invoice back: these items, or this amount with its taxes, or without either all that is left of it.

    With `periodFrom` and `periodTo` AFIP is told the period instead of the invoice, which the money is taken from all the same.
    `annuls` says that the receiver refused a MiPyME credit invoice.
    """

    reason: str
    items: tuple[LineView, ...] | None = None
    taxes: tuple[TaxView, ...] = ()
    amount: Decimal | None = None
    issued_on: date | None = None
    period_from: date | None = None
    period_to: date | None = None
    annuls: bool = False


@frozen(kw_only=True)
class NewDebitNote:
    """Charge more on an issued invoice; `periodFrom`, `periodTo` and `annuls` as in a credit note."""

    reason: str
    items: tuple[LineView, ...]
    taxes: tuple[TaxView, ...] = ()
    issued_on: date | None = None
    period_from: date | None = None
    period_to: date | None = None
    annuls: bool = False


def period_of(note: NewCreditNote | NewDebitNote) -> tuple[date, date] | None:
    """Return the period that a note names; raise `Invalid` for half a one."""
    since, until = note.period_from, note.period_to
    if since is not None and until is not None:
        return since, until
    if since is None and until is None:
        return None
    msg = "a period has a first and a last day"
    raise Invalid(msg, field="periodFrom" if since is None else "periodTo")


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
    period_from: date | None
    period_to: date | None
    """The period that AFIP is told a note corrects."""
    annuls: bool
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
            period_from=invoice.corrects_period[0] if invoice.corrects_period else None,
            period_to=invoice.corrects_period[1] if invoice.corrects_period else None,
            annuls=invoice.terms.mipyme is not None and invoice.terms.mipyme.annuls,
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
class DeliveryStepView:
    """A state that a message came to, and when."""

    state: str
    at: datetime


@frozen(kw_only=True)
class DeliveryView:
    """One message to one person by one channel, as the delivery log has it; `waitsUntil` is the end of quiet hours.

    What became of one that is `gathered` stands at the message `digestId`.
    """

    id: str
    template: str
    event: str
    text: str
    channel: str
    state: str
    recipient_id: str
    recipient_name: str
    job_id: str | None
    attempts: int
    error_code: str | None
    error_text: str | None
    waits_until: datetime | None
    digest_id: str | None
    history: tuple[DeliveryStepView, ...]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        return cls(
            id=delivery.id,
            template=delivery.template,
            event=delivery.event,
            text=delivery.text,
            channel=delivery.channel,
            state=delivery.state,
            recipient_id=delivery.recipient.id,
            recipient_name=delivery.recipient.name,
            job_id=delivery.job_id,
            attempts=delivery.attempts,
            error_code=delivery.error_code,
            error_text=delivery.error_text,
            waits_until=delivery.due_at if delivery.waiting and delivery.state == "queued" else None,
            digest_id=delivery.digest_id,
            history=tuple(DeliveryStepView(state=state, at=at) for state, at in delivery.history),
            created_at=delivery.created_at,
            updated_at=delivery.updated_at,
        )


@frozen(kw_only=True)
class DeliveryPage:
    """A page of the delivery log, the newest first."""

    items: tuple[DeliveryView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class QuietHoursView:
    """From when until when somebody is left alone, by their own clock, as `22:00`; over midnight if the end is earlier."""

    enabled: bool
    start: str = "22:00"
    end: str = "08:00"

    def hours(self) -> QuietHours:
        return QuietHours(wall_time(self.start), wall_time(self.end))


@frozen(kw_only=True)
class PreferencesView:
    """How somebody is told: by which channels, of what, when and in which language (`es` or `en`).

    The channels are whatsapp, push, sms (when nothing else works) and email (for documents). `timezone` is an IANA name, null the
    business's own. `digest` gathers what waited for the morning into one message.
    """

    version: int
    channels: tuple[str, ...]
    muted_events: tuple[str, ...]
    quiet_hours: QuietHoursView
    timezone: str | None
    language: str
    digest: bool

    @classmethod
    def of(cls, chosen: Preferences) -> PreferencesView:
        return cls(
            version=chosen.version,
            channels=tuple(each for each in CHANNELS if each in chosen.channels),
            muted_events=tuple(sorted(chosen.muted)),
            quiet_hours=QuietHoursView(
                enabled=chosen.quiet, start=f"{chosen.hours.start:%H:%M}", end=f"{chosen.hours.end:%H:%M}"
            ),
            timezone=chosen.zone,
            language=chosen.language,
            digest=chosen.digest,
        )


@frozen(kw_only=True)
class PreferencesChoice:
    """What somebody wants, in place of all that they wanted before; with `version` only if nobody changed it meanwhile."""

    version: int | None = None
    channels: tuple[str, ...] = CHANNELS
    muted_events: tuple[str, ...] = ()
    quiet_hours: QuietHoursView = QuietHoursView(enabled=False)
    timezone: str | None = None
    language: str = "es"
    digest: bool = True

    def choice(self) -> dict[str, Any]:
        return {
            "channels": frozenset(self.channels),
            "muted": frozenset(self.muted_events),
            "quiet": self.quiet_hours.enabled,
            "hours": self.quiet_hours.hours(),
            "zone": self.timezone,
            "language": self.language,
            "digest": self.digest,
        }


@frozen(kw_only=True)
class NewDevice:
    """An app that can be pushed to: `provider` is expo or fcm, `name` what its owner would recognise it by."""

    provider: str
    token: str
    name: str = ""


@frozen(kw_only=True)
class DeviceView:
    """An app that somebody is pushed to; its token is not shown."""

    id: str
    user_id: str
    provider: str
    name: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, device: Device) -> DeviceView:
        return cls(
            id=device.id,
            user_id=device.user_id,
            provider=device.provider,
            name=device.name,
            created_at=device.created_at,
            updated_at=device.updated_at,
        )


@frozen(kw_only=True)
class DevicePage:
    """Somebody's devices, the one that reported last first."""

    items: tuple[DeviceView, ...]

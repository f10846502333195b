"""The messages we send, word for word, and how amounts, days and times are written in them.

WhatsApp lets a business write first only with approved templates; these are registered with it as they stand here. `{{1}}` is the
first parameter. The words are Argentine Spanish, and English for whoever asked for it. What a gap takes is decided by its name
(`KINDS`), so a `total` is an amount in every message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias

from attrs import frozen

from core.kernel.errors import Invalid
from core.kernel.money import cents

LANGUAGES: Final[Mapping[str, str]] = {"es": "es_AR", "en": "en"}
"""What people choose, and what WhatsApp calls it."""
Variable: TypeAlias = "str | int | Decimal | datetime | tuple[datetime, datetime]"
"""What fills a gap: a text as it is, or a value that is written as the recipient's language does; instants are in local time."""


class BadVariables(Invalid):
    """A message lacks what its gaps need, or was given what does not fit in them."""

    code: ClassVar[str] = "notification.variables"

    def __init__(self, template: str, wrong: Sequence[str]) -> None:
        self.template, self.wrong = template, tuple(wrong)
        super().__init__(f"{template} cannot be written: {'; '.join(wrong)}", field="parameters")

    def details(self) -> Mapping[str, object]:
        return {**super().details(), "template": self.template, "wrong": list(self.wrong)}


@frozen(kw_only=True)
class Template:
    """A message with numbered gaps; `link` marks a button whose address ends in a parameter, `document` an attached file.

    One that is `urgent` does not wait for the morning: it is of no use then, or answers somebody who has just written. `event` is
    what people who want none of it turn off.
    """

    name: str
    body: str
    parameters: tuple[str, ...]
    link: str | None = None
    document: bool = False
    category: str = "UTILITY"
    english: str = ""
    english_link: str | None = None
    event: str = "custom"
    urgent: bool = False

    def words(self, language: str) -> str:
        """Return the body in a language (`es` or `en`)."""
        return self.english if language == "en" and self.english else self.body

    def button(self, language: str) -> str | None:
        """Return what the button says in a language."""
        return self.english_link if language == "en" and self.english_link else self.link

    def render(self, values: tuple[str, ...], language: str = "es") -> str:
        """Return the text as the recipient reads it."""
        return _GAP.sub(lambda gap: values[int(gap[1]) - 1], self.words(language))

    def fill(self, values: Sequence[Variable | None], language: str = "es") -> tuple[str, ...]:
        """Return the parameters as they are written in a language; raise `BadVariables`, which names every gap that is wrong."""
        wrong = [f"{name} is missing" for name in self.parameters[len(values) :]]
        if len(values) > len(self.parameters):
            wrong.append(f"it takes {len(self.parameters)} parameters, not {len(values)}")
        written: list[str] = []
        for name, value in zip(self.parameters, values, strict=False):
            kind, write = KINDS.get(name, _TEXT)
            if value is None:
                wrong.append(f"{name} is missing")
            elif isinstance(value, str):
                written.append(value)
            elif not kind(value):
                wrong.append(f"{name} cannot be a {type(value).__name__}")
            else:
                written.append(write(value, language))
        if wrong:
            raise BadVariables(self.name, wrong)
        return tuple(written)


TEMPLATES: Final[Mapping[str, Template]] = {
    template.name: template
    for template in (
        Template(
            name="request_received_customer",
            body="Hola {{1}}, recibimos tu pedido: {{2}}. Te avisamos apenas tengamos día y horario.",
            parameters=("name", "service"),
            english="Hi {{1}}, we have your request: {{2}}. We will tell you as soon as there is a day and a time.",
            event="request_received",
            urgent=True,
        ),
        Template(
            name="job_assigned_tech",
            body="Tenés un trabajo nuevo: {{1}}. {{2}}, {{3}}. Cliente: {{4}}, {{5}}. Dirección: {{6}}.",
            parameters=("service", "date", "time", "customer", "phone", "address"),
            english="You have a new job: {{1}}. {{2}}, {{3}}. Customer: {{4}}, {{5}}. Address: {{6}}.",
            event="job_assigned",
        ),
        Template(
            name="job_reminder_tech_24h",
            body="Recordatorio de visita: {{1}}. {{2}}, {{3}}. Cliente: {{4}}, {{5}}. Dirección: {{6}}.",
            parameters=("service", "date", "time", "customer", "phone", "address"),
            english="A visit to remember: {{1}}. {{2}}, {{3}}. Customer: {{4}}, {{5}}. Address: {{6}}.",
            event="job_reminder",
        ),
        Template(
            name="job_reminder_tech_1h",
            body="Se acerca tu visita: {{1}}. {{2}}, {{3}}. Cliente: {{4}}, {{5}}. Dirección: {{6}}.",
            parameters=("service", "date", "time", "customer", "phone", "address"),
            english="Your visit is coming up: {{1}}. {{2}}, {{3}}. Customer: {{4}}, {{5}}. Address: {{6}}.",
            event="job_reminder",
            urgent=True,
        ),
        Template(
            name="job_reminder_tech_30m",
            body="Ya casi es la hora de tu visita: {{1}}. {{2}}, {{3}}. Cliente: {{4}}, {{5}}. Dirección: {{6}}.",
            parameters=("service", "date", "time", "customer", "phone", "address"),
            english="It is almost time for your visit: {{1}}. {{2}}, {{3}}. Customer: {{4}}, {{5}}. Address: {{6}}.",
            event="job_reminder",
            urgent=True,
        ),
        Template(
            name="job_scheduled_customer",
            body="Hola {{1}}, tu visita quedó agendada para el {{2}}, {{3}}. Va {{4}}.",
            parameters=("name", "date", "time", "technician"),
            english="Hi {{1}}, your visit is set for {{2}}, {{3}}. {{4}} will come.",
            event="job_scheduled",
        ),
        Template(
            name="tracking_link_customer",
            body="Hola {{1}}, {{2}} ya salió para tu domicilio. Tocá el botón para ver por dónde viene.",
            parameters=("name", "technician"),
            link="Ver en el mapa",
            english="Hi {{1}}, {{2}} is on the way to you. Tap the button to see where.",
            english_link="See the map",
            event="technician_en_route",
            urgent=True,
        ),
        Template(
            name="technician_arrived",
            body="Hola {{1}}, {{2}} llegó a tu domicilio.",
            parameters=("name", "technician"),
            english="Hi {{1}}, {{2}} is at your door.",
            event="technician_arrived",
            urgent=True,
        ),
        Template(
            name="job_completed",
            body="Hola {{1}}, el trabajo {{2}} quedó terminado. Total: {{3}}.",
            parameters=("name", "service", "total"),
            english="Hi {{1}}, the job {{2}} is done. Total: {{3}}.",
            event="job_completed",
        ),
        Template(
            name="invoice_ready",
            body="Hola {{1}}, te enviamos la factura {{2}} por {{3}}. CAE {{4}}.",
            parameters=("name", "number", "total", "cae"),
            document=True,
            english="Hi {{1}}, here is invoice {{2}} for {{3}}. CAE {{4}}.",
            event="invoice_sent",
        ),
        Template(
            name="credit_note_ready",
            body="Hola {{1}}, te enviamos la nota de crédito {{2}} por {{3}}, a tu favor. CAE {{4}}.",
            parameters=("name", "number", "total", "cae"),
            document=True,
            english="Hi {{1}}, here is credit note {{2}} for {{3}}, in your favour. CAE {{4}}.",
            event="invoice_sent",
        ),
        Template(
            name="debit_note_ready",
            body="Hola {{1}}, te enviamos la nota de débito {{2}} por {{3}}. CAE {{4}}.",
            parameters=("name", "number", "total", "cae"),
            document=True,
            english="Hi {{1}}, here is debit note {{2}} for {{3}}. CAE {{4}}.",
            event="invoice_sent",
        ),
        Template(
            name="job_cancelled",
            body="Hola {{1}}, la visita {{2}} quedó cancelada: {{3}}.",
            parameters=("name", "service", "reason"),
            english="Hi {{1}}, the visit {{2}} is cancelled: {{3}}.",
            event="job_cancelled",
        ),
        Template(
            name="digest",
            body="Hola {{1}}, en el horario de silencio hubo {{2}} novedades: {{3}}. Eso es todo por ahora.",
            parameters=("name", "count", "news"),
            english="Hi {{1}}, there were {{2}} messages in your quiet hours: {{3}}. That is all for now.",
            event="digest",
        ),
    )
}

_DAYS: Final = {
    "es": ("lun", "mar", "mié", "jue", "vie", "sáb", "dom"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS: Final = {
    "es": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}


def pesos(amount: Decimal, language: str = "es") -> str:
    """Write an amount as people here do: `$ 24.580,00`; in English `ARS 24,580.00`."""
    whole = f"{cents(amount):,.2f}"
    return f"ARS {whole}" if language == "en" else "$ " + whole.translate(str.maketrans(",.", ".,"))


def day(instant: datetime, zone: tzinfo, language: str = "es") -> str:
    """Write the day of an instant in a zone: `vie 21 nov`."""
    return _local_day(instant.astimezone(zone), language)


def hours(starts_at: datetime, ends_at: datetime, zone: tzinfo, language: str = "es") -> str:
    """Write a span of a day: `de 9:00 a 11:00`."""
    return _local_hours((starts_at.astimezone(zone), ends_at.astimezone(zone)), language)


def _local_day(local: datetime, language: str) -> str:
    return f"{_DAYS[language][local.weekday()]} {local.day} {_MONTHS[language][local.month - 1]}"


def _local_hours(span: tuple[datetime, datetime], language: str) -> str:
    first, last = (f"{each.hour}:{each.minute:02}" for each in span)
    return f"{first} to {last}" if language == "en" else f"de {first} a {last}"


def _is_span(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, datetime) for each in value)  # noqa: PLR2004 - from and to


Kind: TypeAlias = tuple[Callable[[object], bool], Callable[[Any, str], str]]
"""What may fill a gap besides a text, and how it is written in a language."""
_TEXT: Final[Kind] = (lambda value: isinstance(value, str), lambda value, _: value)
KINDS: Final[Mapping[str, Kind]] = {
    "total": (lambda value: isinstance(value, Decimal), pesos),
    "date": (lambda value: isinstance(value, datetime), _local_day),
    "time": (_is_span, _local_hours),
    "count": (lambda value: isinstance(value, int) and not isinstance(value, bool), lambda value, _: str(value)),
}
"""The gaps that are not texts, by name."""

_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "request_received": ("Recibimos tu pedido", "We have your request"),
    "job_assigned": ("Trabajo nuevo", "New job"),
    "job_reminder": ("Recordatorio de visita", "Visit reminder"),
    "job_scheduled": ("Visita agendada", "Visit scheduled"),
    "technician_en_route": ("En camino", "On the way"),
    "technician_arrived": ("Llegó el técnico", "Your technician is here"),
    "job_completed": ("Trabajo terminado", "Job done"),
    "invoice_sent": ("Tu comprobante", "Your voucher"),
    "job_cancelled": ("Visita cancelada", "Visit cancelled"),
    "digest": ("Novedades", "News"),
}


def title(event: str, language: str) -> str:
    """Return what stands above a message of this kind: on a phone's screen, as the subject of a letter."""
    spanish, english = _TITLES.get(event, ("Aviso", "Notice"))
    return english if language == "en" else spanish


def first_name(name: str) -> str:
    """Return what a friendly message calls somebody."""
    return name.split(maxsplit=1)[0] if name.split() else "-"


_GAP: Final = re.compile(r"\{\{(\d+)\}\}")
_BUTTON_AT_MOST: Final = 25
_BODY_AT_MOST: Final = 1024


def problems_of(template: Template) -> list[str]:
    """Say what is wrong with a message: gaps that its parameters do not fill, words that a language lacks."""
    found: list[str] = []
    wanted = [str(number) for number in range(1, len(template.parameters) + 1)]
    for language, body in (("es", template.body), ("en", template.english)):
        gaps = _GAP.findall(body)
        if not body.strip():
            found.append(f"has no words in {language}")
        elif sorted(set(gaps), key=int) != wanted:
            found.append(f"has the gaps {', '.join(gaps) or 'none'} in {language} for {len(wanted)} parameters")
        elif body.startswith("{{") or body.endswith("}}"):
            found.append(f"begins or ends with a gap in {language}, which WhatsApp refuses")
        if len(body) > _BODY_AT_MOST:
            found.append(f"is longer than {_BODY_AT_MOST} characters in {language}")
    if len(set(template.parameters)) != len(template.parameters):
        found.append("names a parameter twice")
    if (template.link is None) != (template.english_link is None):
        found.append("has a button in one language only")
    found += [
        f"has a button of more than {_BUTTON_AT_MOST} characters"
        for each in (template.link, template.english_link)
        if each is not None and len(each) > _BUTTON_AT_MOST
    ]
    return [f"{template.name} {each}" for each in found]


def check(templates: Mapping[str, Template]) -> tuple[Mapping[str, Template], tuple[str, ...]]:
    """Return the messages that can be sent, and what is wrong with the others: one bad template stops no other."""
    wrong = {name: problems_of(each) for name, each in templates.items()}
    sound = {name: each for name, each in templates.items() if not wrong[name]}
    return sound, tuple(problem for problems in wrong.values() for problem in problems)

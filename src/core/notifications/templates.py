"""The messages we send, word for word, and how amounts, days and times are written in them.

WhatsApp lets a business write first only with approved templates; these are registered with it as they stand here. `{{1}}` is the
first parameter. The words are Argentine Spanish.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final

from attrs import frozen

from core.kernel.money import cents


@frozen(kw_only=True)
class Template:
    """A message with numbered gaps; `link` marks a button whose address ends in a parameter, `document` an attached file."""

    name: str
    body: str
    parameters: tuple[str, ...]
    link: str | None = None
    document: bool = False
    language: str = "es_AR"
    category: str = "UTILITY"

    def render(self, values: tuple[str, ...]) -> str:
        """Return the text as the recipient reads it."""
        text = self.body
        for number, value in enumerate(values, start=1):
            text = text.replace("{{" + str(number) + "}}", value)
        return text


TEMPLATES: Final[Mapping[str, Template]] = {
    template.name: template
    for template in (
        Template(
            name="request_received_customer",
            body="Hola {{1}}, recibimos tu pedido: {{2}}. Te avisamos apenas tengamos día y horario.",
            parameters=("name", "service"),
        ),
        Template(
            name="job_assigned_tech",
            body="Tenés un trabajo nuevo: {{1}}. {{2}}, {{3}}. Cliente: {{4}}, {{5}}. Dirección: {{6}}.",
            parameters=("service", "date", "time", "customer", "phone", "address"),
        ),
        Template(
            name="job_scheduled_customer",
            body="Hola {{1}}, tu visita quedó agendada para el {{2}}, {{3}}. Va {{4}}.",
            parameters=("name", "date", "time", "technician"),
        ),
        Template(
            name="tracking_link_customer",
            body="Hola {{1}}, {{2}} ya salió para tu domicilio. Tocá el botón para ver por dónde viene.",
            parameters=("name", "technician"),
            link="Ver en el mapa",
        ),
        Template(
            name="technician_arrived",
            body="Hola {{1}}, {{2}} llegó a tu domicilio.",
            parameters=("name", "technician"),
        ),
        Template(
            name="job_completed",
            body="Hola {{1}}, el trabajo {{2}} quedó terminado. Total: {{3}}.",
            parameters=("name", "service", "total"),
        ),
        Template(
            name="invoice_ready",
            body="Hola {{1}}, te enviamos la factura {{2}} por {{3}}. CAE {{4}}.",
            parameters=("name", "number", "total", "cae"),
            document=True,
        ),
        Template(
            name="job_cancelled",
            body="Hola {{1}}, la visita {{2}} quedó cancelada: {{3}}.",
            parameters=("name", "service", "reason"),
        ),
    )
}

_DAYS: Final = ("lun", "mar", "mié", "jue", "vie", "sáb", "dom")
_MONTHS: Final = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")


def pesos(amount: Decimal) -> str:
    """Write an amount as people here do: `$ 24.580,00`."""
    whole = f"{cents(amount):,.2f}"
    return "$ " + whole.translate(str.maketrans(",.", ".,"))


def day(instant: datetime, zone: tzinfo) -> str:
    """Write the day of an instant in a zone: `vie 21 nov`."""
    local = instant.astimezone(zone)
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"


def hours(starts_at: datetime, ends_at: datetime, zone: tzinfo) -> str:
    """Write a span of a day: `de 9:00 a 11:00`."""
    first, last = starts_at.astimezone(zone), ends_at.astimezone(zone)
    return f"de {first.hour}:{first.minute:02} a {last.hour}:{last.minute:02}"

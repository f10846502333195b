"""The messages we send, word for word."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest

from core.notifications import TEMPLATES, day, hours, pesos
from tests.core.office import ZONE

READ: Final = {
    "request_received_customer": (
        ("Ana", "Aire acondicionado"),
        "Hola Ana, recibimos tu pedido: Aire acondicionado. Te avisamos apenas tengamos día y horario.",
    ),
    "job_assigned_tech": (
        ("Aire", "sáb 21 nov", "de 9:00 a 11:00", "Ana Ruiz", "+5491155550001", "Corrientes 1234"),
        (
            "Tenés un trabajo nuevo: Aire. sáb 21 nov, de 9:00 a 11:00. Cliente: Ana Ruiz, +5491155550001. "
            "Dirección: Corrientes 1234."
        ),
    ),
    "job_scheduled_customer": (
        ("Ana", "sáb 21 nov", "de 9:00 a 11:00", "Carlos"),
        "Hola Ana, tu visita quedó agendada para el sáb 21 nov, de 9:00 a 11:00. Va Carlos.",
    ),
    "tracking_link_customer": (
        ("Ana", "Carlos"),
        "Hola Ana, Carlos ya salió para tu domicilio. Tocá el botón para ver por dónde viene.",
    ),
    "technician_arrived": (("Ana", "Carlos"), "Hola Ana, Carlos llegó a tu domicilio."),
    "job_completed": (("Ana", "Aire", "$ 1,00"), "Hola Ana, el trabajo Aire quedó terminado. Total: $ 1,00."),
    "invoice_ready": (
        ("Ana", "00001-00000042", "$ 24.200,00", "70000000000001"),
        "Hola Ana, te enviamos la factura 00001-00000042 por $ 24.200,00. CAE 70000000000001.",
    ),
    "job_cancelled": (("Ana", "Aire", "llueve"), "Hola Ana, la visita Aire quedó cancelada: llueve."),
}


@pytest.mark.parametrize("name", READ)
def test_a_template_reads_as_it_was_registered(name: str) -> None:
    values, text = READ[name]
    assert TEMPLATES[name].render(values) == text


def test_no_template_is_left_out() -> None:
    assert set(TEMPLATES) == set(READ)


@pytest.mark.parametrize("name", READ)
def test_a_template_s_gaps_are_its_parameters(name: str) -> None:
    """WhatsApp refuses a body that begins or ends with a gap."""
    template = TEMPLATES[name]
    gaps = re.findall(r"\{\{(\d+)\}\}", template.body)
    assert gaps == [str(number) for number in range(1, len(template.parameters) + 1)]
    assert not template.body.startswith("{{")
    assert not template.body.endswith("}}")
    assert (template.name, template.language, template.category) == (name, "es_AR", "UTILITY")


def test_one_message_has_a_button_and_one_a_document() -> None:
    assert [name for name, template in TEMPLATES.items() if template.link] == ["tracking_link_customer"]
    assert [name for name, template in TEMPLATES.items() if template.document] == ["invoice_ready"]


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("24580", "$ 24.580,00"),
        ("0", "$ 0,00"),
        ("0.005", "$ 0,01"),
        ("999.994", "$ 999,99"),
        ("1234567.891", "$ 1.234.567,89"),
        ("-5.5", "$ -5,50"),
    ],
)
def test_an_amount_is_written_as_people_here_do(amount: str, written: str) -> None:
    assert pesos(Decimal(amount)) == written


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (datetime(2026, 11, 21, 12, 0, tzinfo=UTC), "sáb 21 nov"),
        (datetime(2026, 11, 22, 2, 59, tzinfo=UTC), "sáb 21 nov"),
        (datetime(2026, 11, 22, 3, 0, tzinfo=UTC), "dom 22 nov"),
        (datetime(2027, 1, 1, 1, 0, tzinfo=UTC), "jue 31 dic"),
        (datetime(2027, 1, 6, 12, 0, tzinfo=UTC), "mié 6 ene"),
    ],
)
def test_a_day_is_the_day_where_people_live(instant: datetime, written: str) -> None:
    assert day(instant, ZONE) == written


def test_a_week_and_a_year_have_their_names() -> None:
    monday = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    days = [day(monday + timedelta(days=number), ZONE).split()[0] for number in range(7)]
    assert days == ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"]
    months = [day(datetime(2026, month, 15, 12, 0, tzinfo=UTC), ZONE).split()[2] for month in range(1, 13)]
    assert months == ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"]


def test_hours_are_local_and_minutes_have_two_digits() -> None:
    starts = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
    assert hours(starts, starts + timedelta(hours=2, minutes=25), ZONE) == "de 9:05 a 11:30"

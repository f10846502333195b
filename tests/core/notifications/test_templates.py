"""The messages we send, word for word."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from core.notifications import EVENTS, TEMPLATES, BadVariables, Template, day, hours, pesos, title
from core.notifications.templates import Variable, check
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
    "job_reminder_tech_24h": (
        ("Aire", "sáb 21 nov", "de 9:00 a 11:00", "Ana Ruiz", "+5491155550001", "Corrientes 1234"),
        (
            "Recordatorio de visita: Aire. sáb 21 nov, de 9:00 a 11:00. Cliente: Ana Ruiz, +5491155550001. "
            "Dirección: Corrientes 1234."
        ),
    ),
    "job_reminder_tech_1h": (
        ("Aire", "sáb 21 nov", "de 9:00 a 11:00", "Ana Ruiz", "+5491155550001", "Corrientes 1234"),
        (
            "Se acerca tu visita: Aire. sáb 21 nov, de 9:00 a 11:00. Cliente: Ana Ruiz, +5491155550001. "
            "Dirección: Corrientes 1234."
        ),
    ),
    "job_reminder_tech_30m": (
        ("Aire", "sáb 21 nov", "de 9:00 a 11:00", "Ana Ruiz", "+5491155550001", "Corrientes 1234"),
        (
            "Ya casi es la hora de tu visita: Aire. sáb 21 nov, de 9:00 a 11:00. Cliente: Ana Ruiz, +5491155550001. "
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
    "credit_note_ready": (
        ("Ana", "00001-00000003", "$ 200,00", "70000000000002"),
        "Hola Ana, te enviamos la nota de crédito 00001-00000003 por $ 200,00, a tu favor. CAE 70000000000002.",
    ),
    "debit_note_ready": (
        ("Ana", "00001-00000004", "$ 200,00", "70000000000002"),
        "Hola Ana, te enviamos la nota de débito 00001-00000004 por $ 200,00. CAE 70000000000002.",
    ),
    "job_cancelled": (("Ana", "Aire", "llueve"), "Hola Ana, la visita Aire quedó cancelada: llueve."),
    "digest": (
        ("Ana", "2", "(1) Uno. (2) Dos"),
        "Hola Ana, en el horario de silencio hubo 2 novedades: (1) Uno. (2) Dos. Eso es todo por ahora.",
    ),
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
    assert (template.name, template.category) == (name, "UTILITY")


def test_one_message_has_a_button_and_vouchers_are_documents() -> None:
    assert [name for name, template in TEMPLATES.items() if template.link] == ["tracking_link_customer"]
    assert [name for name, template in TEMPLATES.items() if template.document] == [
        "invoice_ready",
        "credit_note_ready",
        "debit_note_ready",
    ]


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


def test_every_message_that_we_have_can_be_sent() -> None:
    sound, problems = check(TEMPLATES)
    assert (sound, problems) == (TEMPLATES, ())


def a_template(**wanted: Any) -> Template:
    known: dict[str, Any] = {
        "name": "visit",
        "body": "Hola {{1}}, vamos el {{2}} {{3}}: {{4}}.",
        "english": "Hi {{1}}, we come {{2}}, {{3}}: {{4}}.",
        "parameters": ("name", "date", "time", "total"),
    }
    return Template(**{**known, **wanted})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"body": "Hola {{1}}, vamos el {{2}}."}, "the gaps 1, 2 in es for 4 parameters"),
        ({"body": "Hola."}, "the gaps none in es"),
        ({"english": ""}, "no words in en"),
        ({"english": "{{1}}, {{2}} {{3}} {{4}}."}, "begins or ends with a gap in en"),
        ({"parameters": ("name", "date", "time", "time")}, "names a parameter twice"),
        ({"link": "Ver"}, "a button in one language only"),
        ({"link": "V" * 26, "english_link": "See"}, "a button of more than 25"),
        ({"body": "Hola {{1}}, {{2}} {{3}} {{4}}." + "a" * 1024}, "longer than 1024 characters in es"),
    ],
)
def test_a_message_that_is_wrong_is_named_at_the_start_and_stops_no_other(wrong: dict[str, Any], said: str) -> None:
    bad, good = a_template(**wrong), a_template(name="good")
    sound, problems = check({"visit": bad, "good": good})
    assert list(sound) == ["good"]
    assert any(problem.startswith("visit ") and said in problem for problem in problems), problems


STARTS: Final = datetime(2026, 11, 21, 9, 0, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Hola Ana, vamos el sáb 21 nov de 9:00 a 11:30: $ 24.580,00."),
        ("en", "Hi Ana, we come Sat 21 Nov, 9:00 to 11:30: ARS 24,580.00."),
    ],
)
def test_a_value_is_written_as_the_language_does(language: str, text: str) -> None:
    values = ("Ana", STARTS, (STARTS, STARTS + timedelta(hours=2, minutes=30)), Decimal(24580))
    template = a_template()
    assert template.render(template.fill(values, language), language) == text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("Ana", STARTS), ["time is missing", "total is missing"]),
        (("Ana", None, "hoy", "$ 1"), ["date is missing"]),
        (("Ana", 4, "hoy", 3.5), ["date cannot be a int", "total cannot be a float"]),
        ((STARTS, "hoy", (STARTS,), "$ 1"), ["name cannot be a datetime", "time cannot be a tuple"]),
        (("Ana", "a", "b", "c", "d"), ["it takes 4 parameters, not 5"]),
    ],
)
def test_a_gap_that_nothing_fits_is_named(values: tuple[Variable | None, ...], said: list[str]) -> None:
    with pytest.raises(BadVariables) as wrong:
        a_template().fill(values)
    assert set(said) == set(wrong.value.wrong)
    assert wrong.value.details() == {"field": "parameters", "template": "visit", "wrong": list(wrong.value.wrong)}


def test_a_value_that_looks_like_a_gap_is_only_words() -> None:
    assert a_template().render(("{{2}}", "b", "c", "d")).startswith("Hola {{2}}, vamos el b")


def test_every_event_has_a_title_of_its_own_in_both_languages() -> None:
    for event in EVENTS:
        assert title(event, "es") != title(event, "en") != "Notice"
    assert (title("custom", "es"), title("custom", "en")) == ("Aviso", "Notice")

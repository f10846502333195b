"""A job and the moves that it may make."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from core.jobs import MOVES, STATUSES, Job, JobClosed, Photo, Place, Signature, Wish
from core.jobs.events import (
    JobCancelled,
    JobChanged,
    JobCompleted,
    JobFact,
    JobInvoiced,
    JobOpened,
    JobScheduled,
    JobSigned,
    JobUnscheduled,
    PhotoAdded,
    TechnicianArrived,
    TechnicianDeparted,
    TechnicianTurnedBack,
)
from core.jobs.model import PHOTOS_AT_MOST
from core.kernel.errors import Conflict, Invalid
from core.kernel.money import Line
from core.kernel.states import IllegalMove
from tests.contracts.samples import MINE, NOW, a_job

LATER: Final = NOW + timedelta(minutes=5)
LINES: Final = (Line(description="Carga de gas", quantity=Decimal(2), unit_price=Decimal("100.50")),)
WHO: Final[dict[str, Any]] = {"actor": "user_marta", "at": LATER}

VERBS: Final[dict[str, Callable[[Job], Job]]] = {
    "schedule": lambda job: job.schedule(
        technician_id="user_carlos", starts_at=NOW, ends_at=NOW + timedelta(hours=2), place=None, **WHO
    ),
    "unschedule": lambda job: job.unschedule(reason="llueve", **WHO),
    "depart": lambda job: job.depart(**WHO),
    "turn back": lambda job: job.turn_back(reason="se rompió la camioneta", **WHO),
    "arrive": lambda job: job.arrive(**WHO),
    "complete": lambda job: job.complete(lines=LINES, notes="listo", **WHO),
    "invoice": lambda job: job.invoice(invoice_id="inv_1", **WHO),
    "cancel": lambda job: job.cancel(reason="el cliente se fue", **WHO),
}

# From each status, where each verb leads; what is not written is refused.
LEADS: Final[dict[str, dict[str, str]]] = {
    "pending": {"schedule": "scheduled", "cancel": "cancelled"},
    "scheduled": {"unschedule": "pending", "depart": "en_camino", "cancel": "cancelled"},
    "en_camino": {"turn back": "scheduled", "arrive": "working", "cancel": "cancelled"},
    "working": {"complete": "completed", "cancel": "cancelled"},
    "completed": {"invoice": "invoiced"},
    "invoiced": {},
    "cancelled": {},
}
STATES: Final = ("pending", "scheduled", "en_camino", "working", "completed", "invoiced", "cancelled")
CELLS: Final = [(state, verb) for state in STATES for verb in VERBS]


def a_job_that_is(status: str) -> Job:
    """Return a job with that history."""
    way = {
        "pending": [],
        "scheduled": ["schedule"],
        "en_camino": ["schedule", "depart"],
        "working": ["schedule", "depart", "arrive"],
        "completed": ["schedule", "depart", "arrive", "complete"],
        "invoiced": ["schedule", "depart", "arrive", "complete", "invoice"],
        "cancelled": ["cancel"],
    }
    job = a_job()
    for verb in way[status]:
        job = VERBS[verb](job)
    assert job.status == status
    return job


def test_the_states_are_these_seven_and_a_job_begins_pending() -> None:
    assert STATUSES == STATES
    assert a_job().status == "pending"


@pytest.mark.parametrize("target", STATES)
@pytest.mark.parametrize("state", STATES)
def test_a_pair_of_states_is_a_move_exactly_if_a_verb_leads_there(state: str, target: str) -> None:
    assert (target in MOVES[state]) is (target in LEADS[state].values())


@pytest.mark.parametrize(("state", "verb"), CELLS, ids=[f"{state}-{verb}" for state, verb in CELLS])
def test_a_verb_leads_where_the_table_says_or_is_refused(state: str, verb: str) -> None:
    job = a_job_that_is(state)
    if verb in LEADS[state]:
        moved = VERBS[verb](job)
        assert moved.status == LEADS[state][verb]
        assert moved.facts[:-1] == job.facts
        assert job.status == state
        return
    with pytest.raises(IllegalMove) as refusal:
        VERBS[verb](job)
    details = refusal.value.details()
    assert (details["state"], details["event"]) == (state, verb)
    assert details["allowed"] == sorted(set(LEADS[state].values()))
    assert job == a_job_that_is(state)


@pytest.mark.parametrize(
    ("state", "verb", "kind"),
    [
        ("pending", "schedule", JobScheduled),
        ("scheduled", "unschedule", JobUnscheduled),
        ("scheduled", "depart", TechnicianDeparted),
        ("en_camino", "turn back", TechnicianTurnedBack),
        ("en_camino", "arrive", TechnicianArrived),
        ("working", "complete", JobCompleted),
        ("completed", "invoice", JobInvoiced),
        ("pending", "cancel", JobCancelled),
        ("working", "cancel", JobCancelled),
    ],
)
def test_each_move_records_who_when_from_where_and_to_where(state: str, verb: str, kind: type[JobFact]) -> None:
    fact: Any = VERBS[verb](a_job_that_is(state)).facts[-1]
    assert fact.name == kind.name
    assert (fact.tenant, fact.job_id, fact.actor, fact.at) == (MINE, "job_1", "user_marta", LATER)
    assert (fact.from_status, fact.to_status) == (state, LEADS[state][verb])


@pytest.mark.parametrize(
    ("state", "verb", "reason"),
    [
        ("scheduled", "unschedule", "llueve"),
        ("en_camino", "turn back", "se rompió la camioneta"),
        ("scheduled", "cancel", "el cliente se fue"),
        ("scheduled", "depart", None),
    ],
)
def test_a_move_records_why_if_somebody_said(state: str, verb: str, reason: str | None) -> None:
    fact: Any = VERBS[verb](a_job_that_is(state)).facts[-1]
    assert fact.reason == reason


def test_opening_records_who_asked_and_where_from() -> None:
    (fact,) = a_job(source="batch_1").facts
    assert fact == JobOpened(
        tenant=MINE,
        at=NOW,
        job_id="job_1",
        actor="user_marta",
        customer_id="cust_1",
        title="Aire acondicionado",
        source="batch_1",
    )


@pytest.mark.parametrize("title", ["", "   "], ids=["empty", "blank"])
def test_a_job_needs_a_title(title: str) -> None:
    with pytest.raises(Invalid) as refusal:
        a_job(title=title)
    assert refusal.value.field == "title"


def test_a_title_is_kept_without_its_margins() -> None:
    assert a_job(title="  Lavarropas ").title == "Lavarropas"


def test_an_urgency_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid, match="normal, urgente, emergencia") as refusal:
        a_job(wish=Wish(urgency="mucha"))
    assert refusal.value.field == "urgency"


def test_scheduling_gives_technician_time_and_place() -> None:
    place = Place(address="Av. Santa Fe 3200", lat=-34.59, lng=-58.41)
    job = a_job().schedule(
        technician_id="user_lucia", starts_at=NOW, ends_at=NOW + timedelta(hours=1), place=place, **WHO
    )
    assert (job.technician_id, job.starts_at, job.ends_at, job.place) == (
        "user_lucia",
        NOW,
        NOW + timedelta(hours=1),
        place,
    )


def test_scheduling_without_a_place_keeps_the_one_that_is_known() -> None:
    assert a_job_that_is("scheduled").place.address == "Av. Corrientes 1234"


@pytest.mark.parametrize("minutes", [0, -1], ids=["at once", "before"])
def test_a_visit_ends_after_it_starts(minutes: int) -> None:
    with pytest.raises(Invalid) as refusal:
        a_job().schedule(
            technician_id="user_carlos", starts_at=NOW, ends_at=NOW + timedelta(minutes=minutes), place=None, **WHO
        )
    assert refusal.value.field == "endsAt"


def test_unscheduling_frees_the_technician_and_says_whom() -> None:
    job = a_job_that_is("scheduled").unschedule(reason=None, **WHO)
    assert (job.technician_id, job.starts_at, job.ends_at) == (None, None, None)
    fact: Any = job.facts[-1]
    assert fact.technician_id == "user_carlos"


def test_turning_back_keeps_the_visit() -> None:
    job = a_job_that_is("en_camino").turn_back(reason=None, **WHO)
    assert (job.technician_id, job.starts_at) == ("user_carlos", NOW)


def test_departing_tells_whereto() -> None:
    fact: Any = a_job_that_is("en_camino").facts[-1]
    assert (fact.technician_id, fact.customer_id, fact.lat, fact.lng) == (
        "user_carlos",
        "cust_1",
        -34.6037,
        -58.3816,
    )


def test_completing_sets_the_lines_and_what_they_come_to() -> None:
    job = a_job_that_is("completed")
    assert (job.lines, job.notes) == (LINES, "listo")
    assert (job.totals.net, job.totals.vat, job.totals.total) == (Decimal(201), Decimal("42.21"), Decimal("243.21"))
    fact: Any = job.facts[-1]
    assert (fact.total, fact.currency) == (Decimal("243.21"), "ARS")


def test_a_job_without_lines_is_not_completed() -> None:
    with pytest.raises(Invalid, match="at least one line") as refusal:
        a_job_that_is("working").complete(lines=(), notes="", **WHO)
    assert refusal.value.field == "lines"


def test_a_job_that_cannot_be_completed_says_so_before_it_asks_for_lines() -> None:
    with pytest.raises(IllegalMove):
        a_job().complete(lines=(), notes="", **WHO)


@pytest.mark.parametrize("state", ["pending", "scheduled", "en_camino", "working"])
def test_an_unfinished_job_is_cancelled_with_a_reason(state: str) -> None:
    job = a_job_that_is(state)
    with pytest.raises(Invalid) as refusal:
        job.cancel(reason=" \n", **WHO)
    assert refusal.value.field == "reason"
    cancelled = job.cancel(reason=" no hay nadie ", **WHO)
    fact: Any = cancelled.facts[-1]
    assert (cancelled.status, fact.reason, fact.technician_id) == ("cancelled", "no hay nadie", job.technician_id)


def test_an_invoiced_job_names_its_invoice() -> None:
    assert a_job_that_is("invoiced").invoice_id == "inv_1"


NOTHING: Final[dict[str, Any]] = {"title": None, "place": None, "wish": None, "notes": None}


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({"title": "Heladera"}, ("title",)),
        ({"notes": "timbre 3"}, ("notes",)),
        ({"place": Place(address="Otra 1")}, ("place",)),
        ({"wish": Wish(text="otra cosa", day=date(2026, 12, 1))}, ("wish",)),
        ({"notes": "a", "title": "b"}, ("notes", "title")),
    ],
)
def test_a_correction_says_which_fields_it_touched(wanted: dict[str, Any], fields: tuple[str, ...]) -> None:
    job = a_job().change(**{**NOTHING, **wanted}, **WHO)
    assert job.facts[-1] == JobChanged(tenant=MINE, at=LATER, job_id="job_1", actor="user_marta", fields=fields)
    assert {name: getattr(job, name) for name in wanted} == wanted
    assert job.status == "pending"


def test_a_correction_that_changes_nothing_is_no_fact() -> None:
    job = a_job()
    assert job.change(**{**NOTHING, "title": "Aire acondicionado"}, **WHO) is job
    assert job.change(**NOTHING, **WHO) is job


def test_notes_can_be_emptied_and_a_title_cannot() -> None:
    job = a_job().change(**{**NOTHING, "notes": "x"}, **WHO)
    assert job.change(**{**NOTHING, "notes": ""}, **WHO).notes == ""
    with pytest.raises(Invalid) as refusal:
        job.change(**{**NOTHING, "title": "  "}, **WHO)
    assert refusal.value.field == "title"


def a_photo(number: int = 1) -> Photo:
    return Photo(id=f"photo_{number}", content_type="image/jpeg", size=100, at=LATER)


def test_photos_are_kept_in_order() -> None:
    job = a_job().add_photo(a_photo(1), actor="user_carlos").add_photo(a_photo(2), actor="user_carlos")
    assert [photo.id for photo in job.photos] == ["photo_1", "photo_2"]
    assert job.facts[-1] == PhotoAdded(tenant=MINE, at=LATER, job_id="job_1", actor="user_carlos", photo_id="photo_2")


def test_a_job_keeps_thirty_photos() -> None:
    job = a_job()
    for number in range(PHOTOS_AT_MOST):
        job = job.add_photo(a_photo(number), actor="user_carlos")
    with pytest.raises(Conflict, match="30 photos at most"):
        job.add_photo(a_photo(31), actor="user_carlos")


def test_a_later_signature_takes_the_place_of_the_first() -> None:
    first = Signature(media_id="sign_1", signed_by="Ana", at=NOW)
    second = Signature(media_id="sign_2", signed_by="Ana Ruiz", at=LATER)
    job = a_job().sign(first, actor="user_carlos").sign(second, actor="user_carlos")
    assert job.signature == second
    assert job.facts[-1] == JobSigned(tenant=MINE, at=LATER, job_id="job_1", actor="user_carlos", signed_by="Ana Ruiz")


@pytest.mark.parametrize("state", ["invoiced", "cancelled"])
@pytest.mark.parametrize(
    "touch",
    [
        lambda job: job.change(**{**NOTHING, "notes": "x"}, **WHO),
        lambda job: job.add_photo(a_photo(), actor="user_carlos"),
        lambda job: job.sign(Signature(media_id="s", signed_by="Ana", at=NOW), actor="user_carlos"),
    ],
    ids=["change", "photo", "signature"],
)
def test_a_finished_job_takes_no_more_changes(state: str, touch: Callable[[Job], Job]) -> None:
    with pytest.raises(JobClosed, match=f"the job is {state} and takes no more changes"):
        touch(a_job_that_is(state))


@pytest.mark.parametrize("state", ["pending", "scheduled", "en_camino", "working", "completed"])
def test_an_unfinished_job_takes_photos(state: str) -> None:
    job = a_job_that_is(state).add_photo(a_photo(), actor="user_carlos")
    assert (job.status, len(job.photos)) == (state, 1)


@pytest.mark.parametrize(
    ("lat", "lng"),
    [
        (-34.6, None),
        (None, -58.4),
        (90.1, 0.0),
        (-90.1, 0.0),
        (0.0, 180.1),
        (0.0, -180.1),
        (float("nan"), 0.0),
        (0.0, float("inf")),
    ],
)
def test_a_place_that_is_nowhere_is_refused(lat: float | None, lng: float | None) -> None:
    with pytest.raises(Invalid) as refusal:
        Place(lat=lat, lng=lng)
    assert refusal.value.field == "location"


@pytest.mark.parametrize(("lat", "lng"), [(90.0, 180.0), (-90.0, -180.0), (0.0, -58.4), (None, None)])
def test_the_edges_of_the_world_are_places(lat: float | None, lng: float | None) -> None:
    assert Place(lat=lat, lng=lng).lat == lat

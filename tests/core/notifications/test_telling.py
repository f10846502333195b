"""By which way, when and in which language somebody is told: preferences, quiet hours, digests, fallbacks and apps."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import pytest
from attrs import evolve

from adapters.memory import MemoryChannel, MemoryPush
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid, StaleVersion, Unavailable
from core.notifications import (
    CUSTOMERS,
    DEVICES_AT_MOST,
    AnswerLost,
    AskedToWait,
    Delivery,
    DeviceNotFound,
    PushAnswer,
    QuietHours,
    Recipient,
    SendRefused,
    Wanted,
)
from tests.contracts.samples import MINE
from tests.core.office import CARLOS, MARTA, Office, elsewhere

OWNER: Final = Actor(tenant=MINE, id="user_irene", role="owner", correlation="corr_irene")
LATE: Final = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
"""23:30 in Buenos Aires."""
MORNING: Final = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
"""Eight o'clock there."""
CARLOS_HIMSELF: Final = Recipient(
    id="user_carlos", kind="technician", name="Carlos Gómez", address="+5491155550002", email="carlos@example.com"
)
ANA: Final = Recipient(id="cust_1", kind="customer", name="Ana Ruiz", address="+5491155550001")
NIGHT: Final[dict[str, Any]] = {"quiet": True, "hours": QuietHours(time(22), time(8))}
TOKEN: Final = "ExponentPushToken[carlos]"
NO: Final = SendRefused("131026", "not on WhatsApp")


class Sms(MemoryChannel):
    """Has its own mishaps: the office's weather knows one channel."""


@pytest.fixture
async def office() -> Office:
    """Give an office at 23:30 with every way to people."""
    office = Office()
    office.clock.at = LATE
    office.outlets |= {"sms": Sms(office.new_id), "email": Sms(office.new_id)}
    office.push |= {"expo": MemoryPush(office.new_id), "fcm": MemoryPush(office.new_id, gives_receipts=False)}
    office.notifications = evolve(
        office.notifications, channels={"whatsapp": office.channel, **office.outlets}, push=office.push
    )
    return await office.move_in()


def expo(office: Office) -> MemoryPush:
    service = office.push["expo"]
    assert isinstance(service, MemoryPush)
    return service


def by(office: Office, channel: str) -> list[str]:
    """Return the texts that went out by a channel."""
    if channel == "push":
        return [note.body for note in expo(office).taken.values()]
    outlet = office.channel if channel == "whatsapp" else office.outlets[channel]
    assert isinstance(outlet, MemoryChannel)
    return [each.delivery.text for each in outlet.visible]


async def tell(
    office: Office, *, key: str = "k", recipient: Recipient = CARLOS_HIMSELF, **more: Any
) -> Delivery | None:
    wanted: dict[str, Any] = {"template": "job_cancelled", "parameters": ("Carlos", "Aire", key), **more}
    made = await office.notifications.notify(actor=MARTA, key=key, recipient=recipient, **wanted)
    if made is not None:
        await office.notifications.send(actor=MARTA, delivery_id=made.id)
    return made


async def states(office: Office) -> dict[str, tuple[str, str]]:
    """Return (channel, state) of every delivery, by id."""
    log, _ = await office.notifications.log(actor=MARTA)
    return {each.id: (each.channel, each.state) for each in log}


async def one(office: Office, id_: str) -> Delivery:
    log, _ = await office.notifications.log(actor=MARTA)
    return next(each for each in log if each.id == id_)


async def send_all(office: Office) -> None:
    """Send what is fresh and what is due, until nothing is left for now."""
    for _ in range(5):
        log, _ = await office.notifications.log(actor=MARTA)
        for each in log:
            await office.notifications.send(actor=MARTA, delivery_id=each.id)
        await office.errands()


async def choose(office: Office, who: str = "user_carlos", **choice: Any) -> None:
    await office.choices.choose(actor=OWNER, recipient_id=who, **choice)


async def with_an_app(office: Office, token: str = TOKEN, provider: str = "expo") -> str:
    return (await office.choices.register(actor=CARLOS, provider=provider, token=token, name="Moto G")).id


# --- quiet hours and the morning


async def test_nobody_is_held_back_who_never_asked_for_quiet(office: Office) -> None:
    await tell(office)
    assert by(office, "whatsapp") == ["Hola Carlos, la visita Aire quedó cancelada: k."]


async def test_what_is_not_urgent_waits_for_the_morning_of_the_recipient(office: Office) -> None:
    await choose(office, **NIGHT)
    made = await tell(office)
    assert made is not None
    assert (made.waiting, made.due_at, made.state) == (True, MORNING, "queued")
    assert by(office, "whatsapp") == []
    office.clock.at = MORNING - timedelta(seconds=1)
    assert await office.errands() == 0
    office.clock.at = MORNING
    await office.errands()
    assert by(office, "whatsapp") == ["Hola Carlos, la visita Aire quedó cancelada: k."]


async def test_the_morning_is_that_of_the_zone_that_they_chose(office: Office) -> None:
    await choose(office, **NIGHT, zone="Europe/Madrid")  # where it is 3:30
    made = await tell(office)
    assert made is not None
    assert made.due_at == datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


async def test_without_a_choice_it_is_that_of_the_business(office: Office) -> None:
    await choose(office, **NIGHT)
    made = await tell(office, recipient=evolve(CARLOS_HIMSELF, zone="Asia/Tokyo"))
    assert made is not None
    assert made.due_at is not None
    assert not made.waiting  # it is 11:30 there


@pytest.mark.parametrize(
    "how",
    [
        {"template": "technician_arrived", "parameters": ("Ana", "Carlos")},
        {"template": "job_cancelled", "urgent": True},
    ],
)
async def test_what_is_urgent_passes(office: Office, how: dict[str, Any]) -> None:
    await choose(office, **NIGHT)
    await tell(office, **how)
    assert len(by(office, "whatsapp")) == 1


async def test_a_new_try_in_the_night_waits_as_well(office: Office) -> None:
    office.clock.at = LATE - timedelta(minutes=90, seconds=1)
    await choose(office, **NIGHT)
    office.weather.plan("channel.send:before", Unavailable("down"))
    made = await tell(office)
    assert made is not None
    office.clock.at = LATE
    await office.errands()
    held = await one(office, made.id)
    assert (held.waiting, held.due_at, held.attempts) == (True, MORNING, 1)


async def test_who_ends_their_quiet_hours_is_told_when_the_message_is_due(office: Office) -> None:
    await choose(office, **NIGHT)
    await tell(office)
    await choose(office, hours=QuietHours(time(22), time(9)))
    office.clock.at = MORNING
    await office.errands()
    assert by(office, "whatsapp") == []
    office.clock.forward(hours=1)
    await office.errands()
    assert len(by(office, "whatsapp")) == 1


async def test_several_that_waited_come_as_one_digest(office: Office) -> None:
    await choose(office, **NIGHT)
    for key in ("llueve", "no hay gas", "se mudó"):
        await tell(office, key=key)
        office.clock.forward(minutes=1)
    office.clock.at = MORNING
    await office.errands()
    await send_all(office)
    (text,) = by(office, "whatsapp")
    assert text == (
        "Hola Carlos, en el horario de silencio hubo 3 novedades: (1) Hola Carlos, la visita Aire quedó cancelada: "
        "llueve. (2) Hola Carlos, la visita Aire quedó cancelada: no hay gas. (3) Hola Carlos, la visita Aire quedó "
        "cancelada: se mudó. Eso es todo por ahora."
    )
    found = await states(office)
    assert sorted(state for _, state in found.values()) == ["gathered", "gathered", "gathered", "sent"]
    digest = next(id_ for id_, (_, state) in found.items() if state == "sent")
    assert {(await one(office, id_)).digest_id for id_ in found if id_ != digest} == {digest}


async def test_a_digest_that_fails_falls_back_as_any_message(office: Office) -> None:
    await choose(office, **NIGHT)
    for key in ("a", "b"):
        await tell(office, key=key)
    office.clock.at = MORNING
    await office.errands()
    office.weather.plan("channel.send:before", NO)
    await send_all(office)
    (text,) = by(office, "sms")
    assert "2 novedades" in text


async def test_who_wants_no_digest_gets_each_by_itself(office: Office) -> None:
    await choose(office, **NIGHT, digest=False)
    for key in ("a", "b"):
        await tell(office, key=key)
    office.clock.at = MORNING
    await office.errands()
    assert len(by(office, "whatsapp")) == 2


async def test_a_message_with_a_document_or_a_button_stays_out_of_the_digest(office: Office) -> None:
    await choose(office, **NIGHT)
    await tell(office, key="a", link="token")
    await tell(office, key="b", link="token")
    await tell(office, key="c")
    office.clock.at = MORNING
    await office.errands()
    assert len(by(office, "whatsapp")) == 3


async def test_a_long_night_says_how_many_more_there_are(office: Office) -> None:
    await choose(office, **NIGHT, language="en")
    for number in range(30):
        await tell(office, key=f"reason number {number} of this night")
    office.clock.at = MORNING
    await office.errands()
    await send_all(office)
    (text,) = by(office, "whatsapp")
    assert "there were 30 messages" in text
    assert "and 21 more" in text
    assert len(text) < 1024


# --- preferences


async def test_what_somebody_turned_off_is_not_written_down_at_all(office: Office) -> None:
    await choose(office, muted=frozenset({"job_cancelled"}))
    assert await tell(office) is None
    assert await tell(office, template="technician_arrived", parameters=("Ana", "Carlos")) is not None


async def test_a_language_is_the_recipient_s(office: Office) -> None:
    await choose(office, language="en")
    made = await tell(office)
    assert made is not None
    assert (made.language, by(office, "whatsapp")) == ("en", ["Hi Carlos, the visit Aire is cancelled: k."])


async def test_customers_share_a_choice_until_one_has_their_own(office: Office) -> None:
    await choose(office, CUSTOMERS, **NIGHT)
    shared = await tell(office, recipient=ANA, key="a")
    assert shared is not None
    assert shared.waiting
    await choose(office, "cust_1", quiet=False)
    own = await tell(office, recipient=ANA, key="b")
    assert own is not None
    assert not own.waiting
    colleague = await tell(office, key="c")
    assert colleague is not None
    assert not colleague.waiting


@pytest.mark.parametrize(
    ("channels", "app", "way"),
    [
        ({"whatsapp", "push", "sms", "email"}, True, ("whatsapp", ("push", "sms"))),
        ({"push", "sms"}, True, ("push", ("sms",))),
        ({"push", "sms"}, False, ("sms", ())),
        ({"sms"}, False, ("sms", ())),
        ({"email"}, True, None),
        (set(), True, None),
    ],
)
async def test_the_first_way_that_leads_to_somebody_is_taken(
    office: Office, channels: set[str], app: bool, way: tuple[str, tuple[str, ...]] | None
) -> None:
    if app:
        await with_an_app(office)
    await choose(office, channels=frozenset(channels))
    made = await tell(office)
    assert (None if made is None else (made.channel, made.left)) == way


async def test_a_document_goes_by_whatsapp_and_by_mail_and_never_as_a_text(office: Office) -> None:
    job = await office.a_job(status="completed")
    issued = await office.invoicing.invoice(actor=MARTA, job_id=job.id)
    document: dict[str, Any] = {
        "template": "invoice_ready",
        "parameters": ("Ana", "1", "2", "3"),
        "attachment": f"invoice:{issued.id}",
    }
    await tell(office, recipient=evolve(ANA, email="ana@example.com"), **document)
    await send_all(office)
    assert (len(by(office, "whatsapp")), len(by(office, "email")), by(office, "sms")) == (1, 1, [])
    await tell(office, recipient=ANA, key="no mail", **document)
    await send_all(office)
    assert (len(by(office, "whatsapp")), len(by(office, "email"))) == (2, 1)


async def test_somebody_with_neither_phone_nor_app_is_not_told(office: Office) -> None:
    assert await tell(office, recipient=evolve(CARLOS_HIMSELF, address="")) is None


async def test_whom_whatsapp_alone_knows_gets_no_sms(office: Office) -> None:
    made = await tell(office, recipient=evolve(ANA, address="AR.77"))
    assert made is not None
    assert (made.channel, made.left) == ("whatsapp", ())


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"channels": frozenset({"fax"})}, "channels"),
        ({"muted": frozenset({"weather"})}, "muted"),
        ({"language": "pt"}, "language"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"quiet": True, "hours": QuietHours(time(8), time(8))}, "quietHours"),
    ],
)
async def test_a_choice_that_makes_no_sense_is_refused_by_name(
    office: Office, choice: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as wrong:
        await choose(office, **choice)
    assert wrong.value.field == field
    assert (await office.choices.show(actor=CARLOS, recipient_id="user_carlos")).version == 0


async def test_everybody_chooses_for_themselves_and_who_manages_people_for_all(office: Office) -> None:
    await office.choices.choose(actor=CARLOS, recipient_id="user_carlos", language="en")
    for actor, who in ((CARLOS, "user_marta"), (MARTA, "user_carlos"), (CARLOS, CUSTOMERS)):
        with pytest.raises(NotAllowed):
            await office.choices.show(actor=actor, recipient_id=who)
        with pytest.raises(NotAllowed):
            await office.choices.choose(actor=actor, recipient_id=who, language="es")
    await office.choices.choose(actor=MARTA, recipient_id=CUSTOMERS, language="en")
    assert (await office.choices.show(actor=OWNER, recipient_id="user_carlos")).language == "en"


async def test_a_choice_over_one_that_changed_is_refused(office: Office) -> None:
    first = await office.choices.choose(actor=CARLOS, recipient_id="user_carlos", language="en", version=0)
    with pytest.raises(StaleVersion):
        await office.choices.choose(actor=CARLOS, recipient_id="user_carlos", language="es", version=0)
    assert first.version == 1


async def test_a_message_whose_template_is_gone_fails_by_name_and_can_still_be_read(office: Office) -> None:
    made = await tell(office, urgent=True, key="a")
    assert made is not None
    async with office.store.begin(OWNER) as tx:
        waiting = await tx.deliveries.save(evolve(made, id="dlv_old", key="old", template="gone", version=0, facts=()))
    await office.notifications.send(actor=MARTA, delivery_id=waiting.id)
    old = await one(office, "dlv_old")
    assert (old.state, old.error_code, old.due_at) == ("failed", "template", None)
    assert (old.text, old.event) == ("Carlos · Aire · a", "custom")


# --- when a way fails


async def test_whatsapp_s_no_falls_back_to_push_and_then_to_sms(office: Office) -> None:
    await with_an_app(office)
    office.weather.plan("channel.send:before", NO)
    expo(office).answers[TOKEN] = PushAnswer(error_code="MessageTooBig", error_text="too big")
    await tell(office)
    await send_all(office)
    assert sorted((await states(office)).values()) == [("push", "failed"), ("sms", "sent"), ("whatsapp", "failed")]
    assert by(office, "sms") == ["Hola Carlos, la visita Aire quedó cancelada: k."]


async def test_a_failure_that_is_reported_later_falls_back_too(office: Office) -> None:
    made = await tell(office)
    assert made is not None
    await office.notifications.record(
        actor=MARTA, provider_id="wamid_1", status="failed", reference=None, error_code="131026", error_text="x"
    )
    await send_all(office)
    assert len(by(office, "sms")) == 1
    await office.notifications.record(actor=MARTA, provider_id="wamid_1", status="failed", reference=None)
    await send_all(office)
    assert len(by(office, "sms")) == 1


async def test_a_way_that_is_down_for_long_gives_way_to_the_next(office: Office) -> None:
    office.weather.plan("channel.send:before", *[Unavailable("down")] * 6)
    await tell(office)
    began = office.clock()
    while not by(office, "sms"):
        office.clock.forward(seconds=1)
        await office.errands()
        await send_all(office)
    assert timedelta(minutes=3) < office.clock() - began < timedelta(minutes=6)
    found = await states(office)
    assert sorted(found.values()) == [("sms", "sent"), ("whatsapp", "failed")]


async def test_what_is_urgent_gives_a_way_up_sooner(office: Office) -> None:
    office.weather.plan("channel.send:before", *[Unavailable("down")] * 4)
    await tell(office, urgent=True)
    began = office.clock()
    while not by(office, "sms"):
        office.clock.forward(seconds=1)
        await send_all(office)
    assert office.clock() - began < timedelta(seconds=40)


async def test_answers_that_are_always_lost_end_as_well(office: Office) -> None:
    office.weather.plan("channel.send:before", *[AnswerLost("silence")] * 6)
    made = await tell(office)
    assert made is not None
    for _ in range(30):
        office.clock.forward(minutes=2)
        await send_all(office)
    failed = await one(office, made.id)
    assert (failed.state, failed.error_code, failed.error_text) == ("failed", "gave_up", "no answer came")
    assert len(by(office, "sms")) == 1


async def test_what_may_have_come_five_times_is_not_sent_a_sixth(office: Office) -> None:
    await choose(office, channels=frozenset({"whatsapp"}))
    office.weather.plan("channel.send:before", Unavailable("down"), *[AnswerLost("silence")] * 9)
    made = await tell(office)
    assert made is not None
    for _ in range(60):
        office.clock.forward(minutes=2)
        await send_all(office)
    failed = await one(office, made.id)
    assert (failed.state, failed.error_code, failed.attempts) == ("failed", "gave_up", 6)


async def test_the_last_way_that_fails_leaves_it_failed(office: Office) -> None:
    await choose(office, channels=frozenset({"whatsapp"}))
    office.weather.plan("channel.send:before", NO)
    await tell(office)
    await send_all(office)
    assert list((await states(office)).values()) == [("whatsapp", "failed")]


# --- apps


async def test_a_push_reaches_every_app_and_its_receipts_complete_the_log(office: Office) -> None:
    await with_an_app(office)
    await with_an_app(office, "fcm-token", "fcm")
    await choose(office, channels=frozenset({"push"}))
    made = await tell(office, job_id="job_1", link="abc")
    assert made is not None
    (note,) = expo(office).taken.values()
    assert (note.title, note.token) == ("Visita cancelada", TOKEN)
    assert note.data == {
        "deliveryId": made.id,
        "event": "job_cancelled",
        "jobId": "job_1",
        "url": "https://cuadrilla.example/track/abc",
    }
    sent = await one(office, made.id)
    assert (sent.state, len(sent.tickets), sent.due_at) == ("sent", 2, LATE + timedelta(minutes=15))
    office.clock.forward(minutes=15)
    assert await office.errands() == 1
    over = await one(office, made.id)
    assert (over.state, over.tickets, over.due_at) == ("delivered", (), None)


async def test_a_push_by_a_service_without_receipts_is_done_when_it_is_sent(office: Office) -> None:
    await with_an_app(office, "fcm-token", "fcm")
    await choose(office, channels=frozenset({"push"}))
    made = await tell(office)
    assert made is not None
    assert (await one(office, made.id)).due_at is None


async def test_a_token_that_nobody_knows_is_retired_and_the_message_takes_another_way(office: Office) -> None:
    await with_an_app(office)
    await choose(office, channels=frozenset({"push", "sms"}))
    expo(office).answers[TOKEN] = PushAnswer(error_code="DeviceNotRegistered", gone=True)
    await tell(office)
    await send_all(office)
    assert sorted((await states(office)).values()) == [("push", "failed"), ("sms", "sent")]
    assert await office.choices.devices(actor=CARLOS, user_id="user_carlos") == []
    again = await tell(office, key="again")
    assert again is not None
    assert again.channel == "sms"


async def test_a_receipt_can_say_that_the_app_is_gone(office: Office) -> None:
    await with_an_app(office)
    await choose(office, channels=frozenset({"push", "sms"}))
    expo(office).fades.add(TOKEN)
    await tell(office)
    office.clock.forward(minutes=15)
    await send_all(office)
    assert sorted((await states(office)).values()) == [("push", "failed"), ("sms", "sent")]
    assert await office.choices.devices(actor=CARLOS, user_id="user_carlos") == []


async def test_receipts_that_do_not_come_are_asked_for_for_a_day(office: Office) -> None:
    await with_an_app(office)
    await choose(office, channels=frozenset({"push"}))
    made = await tell(office)
    assert made is not None
    expo(office).silent.update(expo(office).taken)
    asked = 0
    while (await one(office, made.id)).due_at is not None:
        office.clock.forward(minutes=15)
        asked += await office.errands()
    assert ((await one(office, made.id)).state, asked) == ("sent", 96)


async def test_one_app_that_takes_it_is_enough_and_what_may_pass_is_tried_again(office: Office) -> None:
    await with_an_app(office)
    await with_an_app(office, "ExponentPushToken[tablet]")
    await choose(office, channels=frozenset({"push"}))
    expo(office).answers[TOKEN] = PushAnswer(error_code="MessageRateExceeded", again=True)
    first = await tell(office)
    assert first is not None
    assert (await one(office, first.id)).state == "sent"
    expo(office).answers["ExponentPushToken[tablet]"] = PushAnswer(again=True, retry_after=90)
    second = await tell(office, key="second")
    assert second is not None
    waiting = await one(office, second.id)
    assert (waiting.state, waiting.due_at) == ("queued", LATE + timedelta(seconds=90))
    expo(office).answers.clear()
    office.clock.forward(seconds=90)
    await office.errands()
    assert (await one(office, second.id)).state == "sent"


async def test_a_push_in_doubt_is_waited_for(office: Office) -> None:
    await with_an_app(office)
    await choose(office, channels=frozenset({"push"}))
    expo(office).answers[TOKEN] = PushAnswer(lost=True)
    made = await tell(office)
    assert made is not None
    assert (await one(office, made.id)).state == "sending"
    expo(office).answers.clear()
    office.clock.forward(seconds=60)
    await office.errands()
    assert (await one(office, made.id)).state == "sent"


async def test_an_app_that_left_before_the_message_does_not_keep_it(office: Office) -> None:
    device = await with_an_app(office)
    await choose(office, channels=frozenset({"push", "sms"}), **NIGHT)
    await tell(office)
    await office.choices.forget(actor=CARLOS, device_id=device)
    office.clock.at = MORNING
    await send_all(office)
    assert sorted((await states(office)).values()) == [("push", "failed"), ("sms", "sent")]


async def test_what_is_due_for_many_apps_goes_out_in_one_request(office: Office) -> None:
    await with_an_app(office)
    await choose(office, channels=frozenset({"push"}), digest=False, **NIGHT)
    for number in range(7):
        await tell(office, key=str(number))
    office.clock.at = MORNING
    assert await office.errands() == 1
    assert expo(office).requests == [7]


async def test_two_processes_push_what_is_due_once(office: Office) -> None:
    await with_an_app(office)
    await choose(office, channels=frozenset({"push"}), **NIGHT)
    await tell(office)
    office.clock.at = MORNING
    (errand,) = await office.notifications.due()
    other = office.notifications.run(errand)
    office.weather.plan("deliveries.get:after", lambda: elsewhere(other), None)
    await office.notifications.run(errand)
    assert len(expo(office).taken) == 1


async def test_a_token_that_reports_again_lives_and_is_whoever_s_logs_in_there(office: Office) -> None:
    device = await with_an_app(office)
    await office.choices.forget(actor=CARLOS, device_id=device)
    await office.choices.forget(actor=CARLOS, device_id=device)
    assert await with_an_app(office) == device
    taken = await office.choices.register(actor=MARTA, provider="expo", token=TOKEN)
    assert (taken.id, taken.user_id) == (device, "user_marta")
    assert await office.choices.devices(actor=CARLOS, user_id="user_carlos") == []
    with pytest.raises(DeviceNotFound):
        await office.choices.forget(actor=CARLOS, device_id=device)
    await office.choices.forget(actor=OWNER, device_id=device)


async def test_beyond_twenty_apps_those_go_that_have_not_reported_for_longest(office: Office) -> None:
    tokens = [f"ExponentPushToken[{number}]" for number in range(DEVICES_AT_MOST)]
    made = {}
    for token in tokens:
        made[token] = await with_an_app(office, token)
        office.clock.forward(seconds=1)
    await with_an_app(office, tokens[0])
    newest = await with_an_app(office)  # in the same instant
    left = {each.id for each in await office.choices.devices(actor=CARLOS, user_id="user_carlos")}
    assert left == {newest, *made.values()} - {made[tokens[1]]}


@pytest.mark.parametrize(
    ("provider", "token", "field"),
    [
        ("apns", "abc", "provider"),
        ("expo", "abc", "token"),
        ("fcm", TOKEN, "token"),
        ("fcm", "", "token"),
        ("fcm", "a b", "token"),
        ("fcm", "ñ", "token"),
        ("fcm", "a" * 4097, "token"),
        ("expo", "ExponentPushToken[a\n]", "token"),
    ],
)
async def test_what_is_no_push_token_is_refused(office: Office, provider: str, token: str, field: str) -> None:
    with pytest.raises(Invalid) as wrong:
        await office.choices.register(actor=CARLOS, provider=provider, token=token)
    assert wrong.value.field == field


async def test_a_device_does_not_show_its_token(office: Office) -> None:
    await with_an_app(office)
    (device,) = await office.choices.devices(actor=CARLOS, user_id="user_carlos")
    assert TOKEN not in repr(device)


async def test_the_wait_spreads_and_a_named_wait_counts(office: Office) -> None:
    for chance, seconds in ((0.0, 1.6), (1.0, 2.4)):
        office.notifications = evolve(office.notifications, chance=iter([chance]).__next__)
        office.weather.plan("channel.send:before", AskedToWait("slow down", retry_after=1.0))
        made = await tell(office, key=str(chance))
        assert made is not None
        assert (await one(office, made.id)).due_at == LATE + timedelta(seconds=seconds)


async def test_the_log_finds_who_was_told_by_name(office: Office) -> None:
    await tell(office)
    await tell(office, recipient=ANA, key="b")
    found, _ = await office.notifications.log(actor=MARTA, wanted=Wanted(recipient="gomez"))
    assert [each.recipient.id for each in found] == ["user_carlos"]
    assert {each.tenant for each in found} == {MINE}

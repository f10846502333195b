"""From a provider's delivery to what it asks for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory import MemoryLanguageModel
from core.kernel.actor import Actor
from core.kernel.errors import AlreadySettled, Unavailable
from core.messaging import Batch, BatchNotFound, InboundMessage, Understanding
from tests.contracts.samples import MINE, NOW, OTHER, a_message, a_report
from tests.core.office import MARTA, Office, elsewhere

DIALOGUE = ("Hola", "necesito", "un técnico para el aire acondicionado en Av. Corrientes 1234 mañana a la mañana")


async def write(office: Office, *texts: str, gap: float = 1.0, first: int = 1, **changes: Any) -> list[InboundMessage]:
    """Let a customer write, one delivery for each message, a pause after each."""
    written = []
    for number, text in enumerate(texts, start=first):
        message = a_message(number, text=text, at=office.clock(), **changes)
        await office.messaging.receive([message])
        written.append(message)
        office.clock.forward(seconds=gap)
    return written


async def close(office: Office, *, after: float) -> int:
    office.clock.forward(seconds=after)
    return await office.messaging.close_due()


async def batches(office: Office) -> list[Batch]:
    """Return every batch in the order of closing."""
    facts = await office.facts("messages.aggregated")
    found = []
    for fact in facts:
        async with office.store.begin(MARTA) as tx:
            found.append(await tx.messages.get(fact.tenant, fact.batch_id))
    return found


async def test_the_sources_dialogue_is_one_text(office: Office) -> None:
    await write(office, *DIALOGUE)
    assert await office.messaging.close_due() == 0
    assert await close(office, after=0.5) == 1
    (batch,) = await batches(office)
    assert batch.text == (
        "Hola necesito un técnico para el aire acondicionado en Av. Corrientes 1234 mañana a la mañana"
    )
    assert (batch.message_ids, batch.reason) == (("msg_1", "msg_2", "msg_3"), "request_verb")


async def test_the_dialogue_waits_for_slow_fingers(office: Office) -> None:
    await write(office, *DIALOGUE, gap=3.5)
    assert await close(office, after=0) == 1
    (batch,) = await batches(office)
    assert len(batch.message_ids) == 3


async def test_a_window_ends_on_time_whoever_opened_it(office: Office) -> None:
    await write(office, "Hola", gap=0)
    assert await close(office, after=7.9) == 0
    assert await close(office, after=0.1) == 1
    (batch,) = await batches(office)
    assert (batch.reason, batch.closed_at) == ("timeout", NOW + timedelta(seconds=8))
    assert await close(office, after=8) == 0


async def test_what_comes_after_a_window_is_another_text(office: Office) -> None:
    await write(office, "¿cuánto sale?", gap=0)
    await close(office, after=0)
    await write(office, "gracias", first=2, gap=0)
    await close(office, after=8)
    assert [(batch.text, batch.reason) for batch in await batches(office)] == [
        ("¿cuánto sale?", "question"),
        ("gracias", "timeout"),
    ]


async def test_every_person_and_every_tenant_has_a_window(office: Office) -> None:
    await office.messaging.receive(
        [
            a_message(1, text="uno"),
            a_message(2, text="dos", thread="whatsapp:5491155550002"),
            a_message(3, text="tres", tenant=OTHER),
            a_message(4, text="cuatro"),
        ]
    )
    assert await close(office, after=8) == 3
    assert sorted(batch.text for batch in await batches(office)) == ["dos", "tres", "uno cuatro"]


async def test_a_delivery_that_comes_again_changes_nothing(office: Office) -> None:
    message = a_message(1, text="Hola")
    assert await office.messaging.receive([message]) == 1
    assert await office.messaging.receive([message]) == 0
    again = a_message(2, text="Hola", event_id=message.event_id)
    assert await office.messaging.receive([again, a_message(3, text="chau")]) == 1
    await close(office, after=8)
    assert await office.messaging.receive([message]) == 0
    assert await close(office, after=8) == 0
    assert [batch.text for batch in await batches(office)] == ["Hola chau"]


async def test_one_event_twice_in_one_delivery_is_one_message(office: Office) -> None:
    assert await office.messaging.receive([a_message(1), a_message(2, event_id="wamid.1")]) == 1


async def test_no_messages_are_no_news(office: Office) -> None:
    assert await office.messaging.receive([]) == 0
    assert await close(office, after=8) == 0


async def test_without_a_buffer_a_message_is_a_text_at_once(office: Office) -> None:
    office.weather.plan("buffer.add:before", Unavailable("no redis"), Unavailable("no redis"))
    await write(office, "Hola", "necesito")
    assert [(batch.text, batch.reason) for batch in await batches(office)] == [
        ("Hola", "immediate"),
        ("necesito", "immediate"),
    ]
    assert await close(office, after=8) == 0


async def test_a_buffer_whose_answer_was_lost_makes_no_second_batch(office: Office) -> None:
    office.weather.plan("buffer.add:after", Unavailable("no redis"))
    await write(office, "Hola")
    assert await close(office, after=8) == 1
    assert [batch.message_ids for batch in await batches(office)] == [("msg_1",)]


async def test_a_buffer_that_fails_midway_loses_no_message(office: Office) -> None:
    await write(office, "Hola")
    office.weather.plan("buffer.add:before", Unavailable("no redis"))
    await write(office, "necesito un técnico", first=2)
    await close(office, after=8)
    assert [batch.text for batch in await batches(office)] == ["Hola necesito un técnico"]


async def test_messages_that_no_window_remembers_are_swept_up(office: Office) -> None:
    await write(office, "Hola", "necesito", gap=0)
    office.buffer.forget()
    assert await close(office, after=12) == 0
    assert await office.messaging.sweep() == 0
    office.clock.forward(seconds=0.1)
    assert await office.messaging.sweep() == 1
    assert [(batch.text, batch.reason) for batch in await batches(office)] == [("Hola necesito", "timeout")]
    assert await office.messaging.sweep() == 0


async def test_the_sweep_leaves_open_windows_alone(office: Office) -> None:
    await write(office, "Hola", gap=8)
    await close(office, after=0)
    await write(office, "chau", first=2, gap=7)
    assert await office.messaging.sweep() == 0
    assert await close(office, after=1) == 1


async def test_a_crash_between_taking_a_window_and_keeping_its_batch_is_swept_up(office: Office) -> None:
    await write(office, "Hola", gap=0)
    office.weather.plan("commit:before", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await close(office, after=8)
    assert await batches(office) == []
    office.clock.forward(seconds=4.1)
    assert await office.messaging.sweep() == 1
    assert [batch.text for batch in await batches(office)] == ["Hola"]


async def test_two_who_close_at_once_make_one_batch(office: Office) -> None:
    await write(office, "Hola", gap=0)
    office.clock.forward(seconds=12.1)
    office.weather.plan("messages.gather:after", lambda: elsewhere(office.messaging.sweep()))
    assert await office.messaging.close_due() == 1
    assert [batch.text for batch in await batches(office)] == ["Hola"]


async def test_a_message_of_the_next_window_is_not_drawn_into_this_one(office: Office) -> None:
    """Gathering goes up to the window's last message, not up to now."""
    await write(office, "Hola", gap=0)
    office.weather.plan(
        "buffer.take_due:after",
        lambda: elsewhere(office.messaging.receive([a_message(2, text="chau", at=office.clock())])),
    )
    await close(office, after=8)
    await close(office, after=8)
    assert [batch.text for batch in await batches(office)] == ["Hola", "chau"]


async def test_no_more_windows_are_closed_than_asked_for(office: Office) -> None:
    for number in range(1, 4):
        await office.messaging.receive([a_message(number, thread=f"whatsapp:{number}")])
    office.clock.forward(seconds=8)
    assert [await office.messaging.close_due(limit=2) for _ in range(3)] == [2, 1, 0]


async def test_the_aggregator_acts_under_the_batch_s_own_correlation(office: Office) -> None:
    await write(office, "Hola", gap=0)
    await close(office, after=8)
    async with office.store.outbox.unsent(limit=1) as (envelope,):
        assert (envelope.actor, envelope.correlation) == ("messaging.aggregator", "batch_1")


async def understood(office: Office, actor: Actor = MARTA) -> Batch:
    return await office.messaging.understand(actor=actor, batch_id="batch_1")


async def test_a_batch_is_understood_once() -> None:
    answer = Understanding(intent="ask_price", trade="gasista")
    office = await Office(model=MemoryLanguageModel({"cuánto sale": answer})).move_in()
    await write(office, "cuánto sale", gap=0)
    await close(office, after=8)
    first = await understood(office)
    assert (first.understanding, first.version) == (answer, 2)
    assert await understood(office) == first
    assert len(await office.facts("request.understood")) == 1


async def test_a_batch_that_another_understood_meanwhile_is_not_understood_again(office: Office) -> None:
    await write(office, "Hola", gap=0)
    await close(office, after=8)
    office.weather.plan("begin:before", None, lambda: elsewhere(understood(office)))
    assert (await understood(office)).version == 2
    assert len(await office.facts("request.understood")) == 1


async def test_a_model_that_does_not_answer_leaves_the_batch_to_be_asked_again() -> None:
    class Silent:
        async def understand(self, text: str, *, today: date) -> Understanding:
            msg = f"nobody reads {text} on {today}"
            raise Unavailable(msg)

    office = await Office(model=Silent()).move_in()
    await write(office, "Hola", gap=0)
    await close(office, after=8)
    with pytest.raises(Unavailable, match="nobody reads Hola on 2026-11-20"):
        await understood(office)
    (batch,) = await batches(office)
    assert (batch.understanding, batch.version) == (None, 1)


async def test_the_reaction_that_understands_is_settled_with_the_answer_only(office: Office) -> None:
    await write(office, "Hola", gap=0)
    await close(office, after=8)
    actor = Actor(
        tenant=MINE, id="r", role="service", correlation="c", causation="fact_1", reaction="messaging.understand"
    )
    await understood(office, actor)
    with pytest.raises(AlreadySettled):
        async with office.store.begin(actor):
            pass


async def test_a_batch_that_nobody_has_cannot_be_understood(office: Office) -> None:
    with pytest.raises(BatchNotFound):
        await understood(office)


async def test_a_report_is_news_once(office: Office) -> None:
    reports = [a_report(1, status="sent"), a_report(1, status="delivered"), a_report(1, status="sent")]
    assert await office.messaging.note(reports) == 2
    assert await office.messaging.note(reports) == 0
    facts = await office.facts("delivery.reported")
    assert [(fact.provider_id, fact.status) for fact in facts] == [("wamid.1", "sent"), ("wamid.1", "delivered")]


async def test_reports_of_several_tenants_go_each_to_its_own(office: Office) -> None:
    assert await office.messaging.note([a_report(1), a_report(2, tenant=OTHER), a_report(3)]) == 3
    facts = await office.facts("delivery.reported")
    assert sorted((fact.tenant, fact.provider_id) for fact in facts) == [
        (MINE, "wamid.1"),
        (MINE, "wamid.3"),
        (OTHER, "wamid.2"),
    ]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(["Hola", "necesito", "necesito un técnico", "¿cuánto?", "ok"])),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("wait"), st.floats(0.1, 5, allow_nan=False)),
        st.tuples(st.just("forget"), st.none()),
        st.tuples(st.just("no buffer"), st.none()),
        st.tuples(st.just("crash"), st.none()),
        st.tuples(st.just("sweep"), st.none()),
    ),
    min_size=1,
    max_size=30,
)


@given(steps)
@settings(deadline=None, max_examples=60)
async def test_every_message_is_in_exactly_one_batch_whatever_breaks(plan: list[tuple[str, Any]]) -> None:
    office = await Office().move_in()
    written: list[InboundMessage] = []
    for step, what in plan:
        match step:
            case "write":
                written += await write(office, what, first=len(written) + 1, gap=0.2)
            case "again" if written:
                assert await office.messaging.receive([written[what % len(written)]]) == 0
            case "wait":
                office.clock.forward(seconds=what)
                await office.messaging.close_due()
            case "forget":
                office.buffer.forget()
            case "no buffer":
                office.weather.plan("buffer.add:before", Unavailable("no redis"))
            case "crash":
                office.weather.plan("commit:before", RuntimeError("killed"))
                try:
                    await office.messaging.close_due()
                except RuntimeError:
                    pass
                else:
                    office.weather.clear()
            case _:
                await office.messaging.sweep()
    office.weather.clear()
    office.clock.forward(seconds=20)
    await office.messaging.close_due()
    await office.messaging.sweep()
    gathered = [id_ for batch in await batches(office) for id_ in batch.message_ids]
    assert sorted(gathered) == sorted(message.id for message in written)


async def test_a_batch_holds_ten_messages_at_most_and_the_rest_is_another(office: Office) -> None:
    await write(office, *(f"parte {number}" for number in range(12)), gap=0)
    await close(office, after=0)
    assert [len(batch.message_ids) for batch in await batches(office)] == [10, 2]

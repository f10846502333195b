"""The promises of `Inbox` and `MessageRepository`."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.kernel.errors import StaleVersion
from core.messaging import Batch, BatchNotFound, InboundMessage, Sender, Understanding
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, a_batch, a_message, a_report

THREAD = "whatsapp:5491155550001"


async def gather(
    store: Store, *, batch_id: str = "batch_1", up_to: str, thread: str = THREAD, limit: int = 10
) -> list[InboundMessage]:
    async with store.begin(ACTOR) as tx:
        return list(await tx.messages.gather(MINE, thread, batch_id=batch_id, up_to=up_to, limit=limit))


async def test_each_event_is_received_once(store: Store) -> None:
    assert await store.inbox.receive([a_message(1)]) == {"msg_1"}
    assert await store.inbox.receive([a_message(1, id="msg_1_again"), a_message(2)]) == {"msg_2"}
    assert [message.id for message in await gather(store, up_to="msg_2")] == ["msg_1", "msg_2"]


async def test_an_event_delivered_twice_at_once_is_received_once(store: Store) -> None:
    assert await store.inbox.receive([a_message(1), a_message(1, id="msg_1_again")]) == {"msg_1"}


async def test_an_event_id_is_unique_in_its_tenant_and_source_only(store: Store) -> None:
    assert await store.inbox.receive([a_message(1)]) == {"msg_1"}
    assert await store.inbox.receive([a_message(1, id="msg_2", source="messenger")]) == {"msg_2"}
    assert await store.inbox.receive([a_message(1, id="msg_3", tenant=OTHER)]) == {"msg_3"}


async def test_a_message_comes_back_whole(store: Store) -> None:
    message = a_message(
        kind="location",
        lat=-34.6037,
        lng=-58.3816,
        sender=Sender(identities=(THREAD, "whatsapp:AR.1"), name="Ana", phone="+5491155550001"),
        raw={"id": "wamid.1", "nested": {"list": [1, "ñ"]}},
    )
    await store.inbox.receive([message])
    assert await gather(store, up_to="msg_1") == [message]


async def test_a_batch_takes_what_waits_in_the_thread_up_to_a_message(store: Store) -> None:
    await store.inbox.receive([a_message(1), a_message(2)])
    await store.inbox.receive([a_message(9, thread="whatsapp:other")])
    await store.inbox.receive([a_message(8, tenant=OTHER)])
    await store.inbox.receive([a_message(3)])
    assert [message.id for message in await gather(store, up_to="msg_2")] == ["msg_1", "msg_2"]
    assert [message.id for message in await gather(store, batch_id="batch_2", up_to="msg_3")] == ["msg_3"]


async def test_a_batch_takes_no_more_than_it_may_and_the_first_received_first(store: Store) -> None:
    await store.inbox.receive([a_message(number) for number in (1, 2, 3)])
    assert [message.id for message in await gather(store, up_to="msg_3", limit=2)] == ["msg_1", "msg_2"]
    assert [message.id for message in await gather(store, batch_id="batch_2", up_to="msg_3", limit=2)] == ["msg_3"]


async def test_a_message_goes_to_one_batch_only(store: Store) -> None:
    await store.inbox.receive([a_message(1)])
    assert len(await gather(store, up_to="msg_1")) == 1
    assert await gather(store, batch_id="batch_2", up_to="msg_1") == []


async def test_what_a_batch_took_waits_again_when_it_is_rolled_back(store: Store) -> None:
    await store.inbox.receive([a_message(1)])
    with pytest.raises(ZeroDivisionError):
        async with store.begin(ACTOR) as tx:
            await tx.messages.gather(MINE, THREAD, batch_id="batch_1", up_to="msg_1", limit=10)
            raise ZeroDivisionError
    assert [message.id for message in await gather(store, batch_id="batch_2", up_to="msg_1")] == ["msg_1"]


async def test_a_message_that_nobody_knows_gathers_nothing(store: Store) -> None:
    await store.inbox.receive([a_message(1)])
    assert await gather(store, up_to="msg_7") == []


async def test_forgotten_threads_are_named_with_their_newest_message(store: Store) -> None:
    await store.inbox.receive([a_message(1, at=NOW), a_message(2, at=NOW + timedelta(seconds=20))])
    await store.inbox.receive([a_message(3, at=NOW + timedelta(seconds=20), thread="whatsapp:late")])
    await store.inbox.receive([a_message(4, at=NOW, thread="whatsapp:done")])
    await gather(store, up_to="msg_4", thread="whatsapp:done")
    before = NOW + timedelta(seconds=12)
    assert list(await store.inbox.forgotten(before=before, limit=10)) == [(MINE, THREAD, "msg_2")]
    assert list(await store.inbox.forgotten(before=NOW, limit=10)) == []


async def test_no_more_threads_are_named_than_asked_for(store: Store) -> None:
    await store.inbox.receive([a_message(n, thread=f"whatsapp:{n}") for n in range(5)])
    assert len(await store.inbox.forgotten(before=NOW + timedelta(seconds=1), limit=3)) == 3


async def test_each_report_is_noted_once(store: Store) -> None:
    sent, read = a_report(status="sent"), a_report(status="read")
    async with store.begin(ACTOR) as tx:
        assert list(await tx.messages.note([sent, sent])) == [sent]
    async with store.begin(ACTOR) as tx:
        assert list(await tx.messages.note([sent, read])) == [read]


async def test_a_report_that_rolled_back_is_new_again(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.begin(ACTOR) as tx:
            await tx.messages.note([a_report()])
            raise ZeroDivisionError
    async with store.begin(ACTOR) as tx:
        assert list(await tx.messages.note([a_report()])) == [a_report()]


async def test_reports_are_never_gathered_nor_forgotten(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.messages.note([a_report()])
    await store.inbox.receive([a_message(5)])
    assert await gather(store, up_to="msg_5", thread="wamid.1") == []
    assert list(await store.inbox.forgotten(before=NOW + timedelta(days=1), limit=10)) == [(MINE, THREAD, "msg_5")]


async def test_a_batch_comes_back_whole(store: Store) -> None:
    understanding = Understanding(intent="request_tech", trade="gasista", day=date(2026, 11, 21), urgency="urgente")
    async with store.begin(ACTOR) as tx:
        first = await tx.messages.save(a_batch())
        saved = await tx.messages.save(first.understand(understanding, at=NOW))
    async with store.begin(ACTOR) as tx:
        found = await tx.messages.get(MINE, "batch_1")
    assert found == saved
    assert (found.version, found.facts, found.message_ids, found.understanding) == (2, (), ("msg_1",), understanding)


async def test_a_batch_that_the_tenant_does_not_have_is_not_found(store: Store) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.messages.save(a_batch())
    async with store.begin(ACTOR) as tx:
        with pytest.raises(BatchNotFound):
            await tx.messages.get(OTHER, "batch_1")
        with pytest.raises(BatchNotFound):
            await tx.messages.get(MINE, "batch_2")


async def test_the_second_of_two_writers_of_a_batch_is_told_so(store: Store) -> None:
    async def save(batch: Batch) -> Batch:
        async with store.begin(ACTOR) as tx:
            return await tx.messages.save(batch)

    read = await save(a_batch())
    await save(read.understand(Understanding(intent="greeting"), at=NOW))
    with pytest.raises(StaleVersion):
        await save(read.understand(Understanding(intent="other"), at=NOW))


async def test_what_was_received_or_noted_is_known_in_its_tenant_and_source(store: Store) -> None:
    delivered = a_report(status="delivered").event_id
    assert not await store.inbox.knows(MINE, "whatsapp", [delivered])
    async with store.begin(ACTOR) as tx:
        await tx.messages.note([a_report(status="sent"), a_report(status="delivered")])
    await store.inbox.receive([a_message(5)])
    assert await store.inbox.knows(MINE, "whatsapp", ["wamid.1:read", delivered])
    assert await store.inbox.knows(MINE, "whatsapp", [a_message(5).event_id])
    assert not await store.inbox.knows(MINE, "whatsapp", ["wamid.1:read"])
    assert not await store.inbox.knows(MINE, "whatsapp", [])
    assert not await store.inbox.knows(OTHER, "whatsapp", [delivered])
    assert not await store.inbox.knows(MINE, "messenger", [delivered])

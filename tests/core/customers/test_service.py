"""Who is known, and by what."""

from __future__ import annotations

from typing import Any, Final

import pytest

from core.customers import Customer, CustomerNotFound
from core.customers.model import IdentityTaken
from core.customers.service import phone_id
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid, StaleVersion
from tests.contracts.samples import MINE
from tests.core.office import CARLOS, MARTA, PLANNER, STRANGER, Office, elsewhere

ANA: Final = "whatsapp:5491155550001"
SCOPED: Final = "whatsapp:AR.123456"


async def recognise(office: Office, *identities: str, actor: Actor = MARTA, **known: Any) -> Customer:
    wanted: dict[str, Any] = {"name": "Ana", "phone": "+5491155550001", **known}
    return await office.customers.recognise(actor=actor, identities=identities, **wanted)


async def all_customers(office: Office) -> list[Customer]:
    return list((await office.customers.list(actor=MARTA))[0])


async def test_somebody_new_becomes_a_customer(office: Office) -> None:
    customer = await recognise(office, ANA, address="Corrientes 1")
    assert (customer.name, customer.phone, customer.identities, customer.address) == (
        "Ana",
        "+5491155550001",
        (ANA,),
        "Corrientes 1",
    )
    assert await office.customers.show(actor=MARTA, customer_id=customer.id) == customer


@pytest.mark.parametrize(
    ("name", "phone", "called"),
    [(" ", "+5491155550001", "+5491155550001"), ("", None, "Cliente de WhatsApp"), (" Ana ", None, "Ana")],
)
async def test_somebody_without_a_name_is_called_something(
    office: Office, name: str, phone: str | None, called: str
) -> None:
    assert (await recognise(office, SCOPED, name=name, phone=phone)).name == called


async def test_somebody_known_stays_who_they_are(office: Office) -> None:
    first = await recognise(office, ANA)
    assert await recognise(office, ANA, name="Another name") == first
    assert await all_customers(office) == [first]


async def test_a_further_identity_is_joined_to_the_one_that_is_known(office: Office) -> None:
    first = await recognise(office, SCOPED, phone=None)
    joined = await recognise(office, SCOPED, ANA)
    assert (joined.id, joined.identities, joined.phone) == (first.id, (SCOPED, ANA), "+5491155550001")
    assert await recognise(office, ANA, phone="+5491155559999") == joined


async def test_a_phone_that_is_known_is_not_overwritten(office: Office) -> None:
    await recognise(office, ANA)
    assert (await recognise(office, ANA, SCOPED, phone="+5491155559999")).phone == "+5491155550001"


async def test_who_was_registered_by_phone_is_found_by_their_messages(office: Office) -> None:
    registered = await office.customers.register(actor=MARTA, name="Ana Ruiz", phone="+54 9 11 5555-0001")
    assert registered.identities == (ANA,)
    assert (await recognise(office, ANA)).id == registered.id


async def test_two_who_recognise_somebody_at_once_get_the_same_customer(office: Office) -> None:
    office.weather.plan("customers.known_as:after", lambda: elsewhere(recognise(office, ANA)))
    customer = await recognise(office, ANA)
    assert await all_customers(office) == [customer]


async def test_two_who_join_identities_at_once_lose_none(office: Office) -> None:
    await recognise(office, ANA)
    office.weather.plan("customers.known_as:after", lambda: elsewhere(recognise(office, ANA, SCOPED)))
    customer = await recognise(office, ANA, "whatsapp:AR.999")
    assert set(customer.identities) == {ANA, SCOPED, "whatsapp:AR.999"}


async def test_recognising_does_not_settle_the_reaction_that_asks(office: Office) -> None:
    actor = Actor(tenant=MINE, id="r", role="service", correlation="c", causation="fact_1", reaction="jobs.open")
    first = await recognise(office, ANA, actor=actor)
    assert await recognise(office, ANA, actor=actor) == first
    async with office.store.begin(actor) as tx:
        assert await tx.customers.get(MINE, first.id) == first


async def test_an_identity_has_one_owner(office: Office) -> None:
    ana = await office.a_customer(phone="+5491155550001")
    with pytest.raises(IdentityTaken) as refusal:
        await office.a_customer(name="Beto", phone="5491155550001")
    assert refusal.value.code == "customer.identity_taken"
    beto = await office.a_customer(name="Beto", phone="+5491155550002")
    with pytest.raises(IdentityTaken):
        await office.customers.change(actor=MARTA, customer_id=beto, phone="+5491155550001")
    assert (await recognise(office, ANA)).id == ana


async def test_a_customer_without_a_phone_is_registered_without_an_identity(office: Office) -> None:
    customer = await office.customers.register(actor=MARTA, name="Beto")
    assert (customer.phone, customer.identities) == (None, ())


async def test_a_new_phone_is_a_further_identity(office: Office) -> None:
    ana = await office.a_customer()
    changed = await office.customers.change(actor=MARTA, customer_id=ana, phone="+54 9 11 5555 0009")
    assert (changed.phone, changed.identities) == ("+5491155550009", (ANA, "whatsapp:5491155550009"))
    assert await office.customers.change(actor=MARTA, customer_id=ana, phone="+5491155550009") == changed


async def test_a_phone_that_is_none_is_refused(office: Office) -> None:
    ana = await office.a_customer()
    with pytest.raises(Invalid):
        await office.customers.change(actor=MARTA, customer_id=ana, phone="011 15-5555-0001")


async def test_whoever_saw_an_older_version_looks_again(office: Office) -> None:
    ana = await office.a_customer()
    changed = await office.customers.change(actor=MARTA, customer_id=ana, name="Ana María", version=1)
    assert changed.version == 2
    with pytest.raises(StaleVersion):
        await office.customers.change(actor=MARTA, customer_id=ana, name="Anita", version=1)


@pytest.mark.parametrize("actor", [CARLOS, PLANNER], ids=["technician", "planner"])
async def test_customers_are_for_whom_the_table_says(office: Office, actor: Actor) -> None:
    ana = await office.a_customer()
    for ask in (
        office.customers.register(actor=actor, name="Beto"),
        recognise(office, ANA, actor=actor),
        office.customers.show(actor=actor, customer_id=ana),
        office.customers.list(actor=actor),
        office.customers.change(actor=actor, customer_id=ana, name="Beto"),
    ):
        with pytest.raises(NotAllowed):
            await ask


async def test_nobody_reaches_another_tenant_s_customer(office: Office) -> None:
    ana = await office.a_customer()
    with pytest.raises(CustomerNotFound, match=f"there is no customer {ana}"):
        await office.customers.show(actor=STRANGER, customer_id=ana)
    with pytest.raises(CustomerNotFound):
        await office.customers.change(actor=STRANGER, customer_id=ana, name="Beto")
    assert (await recognise(office, ANA, actor=STRANGER)).id != ana
    assert [customer.id for customer in await all_customers(office)] == [ana]


def test_whatsapp_knows_a_phone_by_its_digits() -> None:
    assert phone_id("+54 9 11 5555-0001") == "5491155550001"

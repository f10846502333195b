"""The promises of `Directory`, and of the stores of credentials and access tickets."""

from __future__ import annotations

import pytest

from core.identity import Tenant, User, UserNotFound
from core.kernel.actor import Actor
from core.kernel.errors import NotFound
from tests.contracts.conftest import Store
from tests.contracts.samples import MINE, NOW, OTHER, Hands

PALERMO = Tenant(id=MINE, name="Palermo", phone="+541150000000", zone="America/Argentina/Cordoba")
MARTA = User(id="user_marta", tenant=MINE, name="Marta", role="dispatcher", phone="+5491150000001", token_hash="aa")
CARLOS = User(id="user_carlos", tenant=MINE, name="Carlos", role="technician", active=False)


async def put(store: Store, tenant: str, purpose: str, values: dict[str, str], *, label: str) -> None:
    actor = Actor(tenant=tenant, id="user_marta", role="owner", correlation="corr_1")
    async with store.begin(actor) as tx:
        await tx.credentials.put(tenant, purpose, values, label=label, at=NOW)


async def test_a_tenant_and_its_people_come_back_whole(store: Store) -> None:
    await store.directory.enrol(PALERMO, [MARTA, CARLOS])
    assert await store.directory.tenant(MINE) == PALERMO
    assert await store.directory.user(MINE, "user_marta") == MARTA
    assert await store.directory.user(MINE, "user_carlos") == CARLOS


async def test_a_tenant_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.directory.tenant(MINE)


async def test_a_person_of_another_tenant_is_not_found(store: Store) -> None:
    await store.directory.enrol(PALERMO, [MARTA])
    with pytest.raises(UserNotFound):
        await store.directory.user(OTHER, "user_marta")
    with pytest.raises(UserNotFound):
        await store.directory.user(MINE, "user_nobody")


async def test_people_are_listed_by_name(store: Store) -> None:
    await store.directory.enrol(PALERMO, [MARTA, CARLOS])
    await store.directory.enrol(
        Tenant(id=OTHER, name="Other"), [User(id="user_x", tenant=OTHER, name="Bea", role="owner")]
    )
    assert [user.name for user in await store.directory.users(MINE)] == ["Carlos", "Marta"]
    assert [user.name for user in await store.directory.users(MINE, role="dispatcher")] == ["Marta"]


async def test_a_token_finds_its_owner_in_any_tenant(store: Store) -> None:
    await store.directory.enrol(PALERMO, [MARTA, CARLOS])
    assert await store.directory.bearer("aa") == MARTA
    assert await store.directory.bearer("bb") is None


async def test_enrolling_again_replaces_what_has_the_same_id(store: Store) -> None:
    await store.directory.enrol(PALERMO, [MARTA, CARLOS])
    renamed = User(id="user_marta", tenant=MINE, name="Marta Díaz", role="admin", token_hash="cc")
    await store.directory.enrol(Tenant(id=MINE, name="Palermo Sur"), [renamed])
    assert (await store.directory.tenant(MINE)).name == "Palermo Sur"
    assert [user.name for user in await store.directory.users(MINE)] == ["Carlos", "Marta Díaz"]
    assert (await store.directory.bearer("aa"), await store.directory.bearer("cc")) == (None, renamed)


async def test_credentials_come_back_as_they_were_last_put(store: Store) -> None:
    await put(store, MINE, "afip", {"key": "old"}, label="CUIT")
    await put(store, MINE, "afip", {"key": "new", "certificate": "ñ"}, label="CUIT")
    assert await store.secrets.get(MINE, "afip") == {"key": "new", "certificate": "ñ"}
    assert await store.secrets.get(OTHER, "afip") is None
    assert await store.secrets.get(MINE, "whatsapp:1") is None


async def test_credentials_are_found_by_the_beginning_of_their_purpose(store: Store) -> None:
    await put(store, OTHER, "whatsapp:2", {"token": "b"}, label="")
    await put(store, MINE, "whatsapp:1", {"token": "a"}, label="")
    await put(store, MINE, "whatsapp_1", {"token": "c"}, label="")
    await put(store, MINE, "afip", {"key": "d"}, label="")
    assert list(await store.secrets.all("whatsapp:")) == [
        (MINE, "whatsapp:1", {"token": "a"}),
        (OTHER, "whatsapp:2", {"token": "b"}),
    ]


async def test_a_ticket_comes_back_as_it_was_last_saved(store: Store) -> None:
    assert await store.tickets.load("wsfe") is None
    await store.tickets.save("wsfe", "<old/>")
    await store.tickets.save("wsfe", "<new/>")
    assert (await store.tickets.load("wsfe"), await store.tickets.load("other")) == ("<new/>", None)


async def test_one_at_a_time_may_renew_a_ticket(store: Store) -> None:
    async with store.tickets.renewing("wsfe", seconds=30) as first:
        async with (
            store.tickets.renewing("wsfe", seconds=30) as second,
            store.tickets.renewing("x", seconds=30) as third,
        ):
            assert (first, second, third) == (True, False, True)
        async with store.tickets.renewing("wsfe", seconds=30) as still_held:
            assert still_held is False
    async with store.tickets.renewing("wsfe", seconds=30) as free_again:
        assert free_again is True


async def test_the_right_to_renew_ends_with_its_time(store: Store, clock: Hands) -> None:
    async with store.tickets.renewing("wsfe", seconds=30):
        clock.forward(seconds=30)
        async with store.tickets.renewing("wsfe", seconds=30) as ours:
            assert ours is True

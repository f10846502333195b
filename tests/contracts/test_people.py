"""The promises of the repositories of people and of credentials, and of names to log in by that are given back."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from core.identity import Account, LoginTaken, Origin, PhoneTaken, Tenant, User, UserNotFound
from core.identity.events import CredentialSet
from core.kernel.actor import Actor
from core.kernel.errors import Invalid, StaleVersion
from tests.contracts.conftest import Store
from tests.contracts.samples import MINE, NOW, OTHER

ACTING = Actor(tenant=MINE, id="user_1", role="owner", correlation="corr_1")
HERE = Origin("corr_1", ip="203.0.113.7", agent="Firefox")
PHONE = "+5491155550001"


def a_person(id_: str = "user_1", **more: Any) -> User:
    given: dict[str, Any] = {"tenant": MINE, "name": "Ana", "role": "owner", "phone": PHONE}
    return User.enrolled(id_=id_, at=NOW, origin=HERE, **(given | more))


async def save(store: Store, *people: User) -> None:
    async with store.begin(evolve(ACTING, tenant=people[0].tenant)) as tx:
        for user in people:
            await tx.people.save(user)


async def test_a_person_comes_back_whole_with_a_version_and_a_fact(store: Store) -> None:
    async with store.begin(ACTING) as tx:
        saved = await tx.people.save(a_person())
        assert await tx.people.get(MINE, "user_1") == saved
    assert (saved.version, saved.facts) == (1, ())
    known = await store.directory.user(MINE, "user_1")
    assert (known, known.version) == (saved, 1)
    changed = known.given("admin", at=NOW, origin=HERE).reached_by("+5491155550002", at=NOW, origin=HERE)
    await save(store, changed.deactivated(at=NOW, origin=HERE))
    after = await store.directory.user(MINE, "user_1")
    assert (after.role, after.phone, after.active, after.version) == ("admin", "+5491155550002", False, 2)
    page, _ = await store.audit.page(MINE, limit=9, cursor=None)
    assert [envelope.event_type for envelope in reversed(page)] == [
        "identity.enrolled",
        "identity.role_changed",
        "identity.phone_changed",
        "identity.deactivated",
    ]
    assert {envelope.actor for envelope in page} == {"user_1"}


async def test_who_is_not_there_is_not_found(store: Store) -> None:
    await save(store, a_person())
    async with store.begin(evolve(ACTING, tenant=OTHER)) as tx:
        with pytest.raises(UserNotFound):
            await tx.people.get(OTHER, "user_1")


async def test_people_who_were_set_up_are_changed_like_others(store: Store) -> None:
    user = User(id="user_1", tenant=MINE, name="Ana", role="owner", phone=PHONE, token_hash="aa")
    tenant = Tenant(id=MINE, name="M")
    await store.directory.enrol(tenant, [user])
    read = await store.directory.user(MINE, "user_1")
    await save(store, read.renamed("Ana Paz"))
    assert await store.directory.bearer("aa") == evolve(user, name="Ana Paz")
    await store.directory.enrol(tenant, [user])
    with pytest.raises(StaleVersion):
        await save(store, read.renamed("Ana Ruiz"))
    async with store.begin(evolve(ACTING, tenant="tenant_new")) as tx:
        await tx.accounts.found(Tenant(id="tenant_new", name="N"), evolve(user, tenant="tenant_new", token_hash=None))
    founded = await store.directory.user("tenant_new", "user_1")
    await save(store, founded.renamed("Ana Ruiz"))
    assert (await store.directory.user("tenant_new", "user_1")).name == "Ana Ruiz"
    assert [each.id for each in await store.directory.tenants()] == [MINE, "tenant_new"]


async def test_the_second_of_two_who_change_a_person_is_told_so(store: Store) -> None:
    await save(store, a_person())
    read = await store.directory.user(MINE, "user_1")
    await save(store, read.renamed("Ana Paz"))
    for stale in (read.renamed("Ana Ruiz"), a_person(phone="+5491155550002")):
        with pytest.raises(StaleVersion):
            await save(store, stale)
    assert (await store.directory.user(MINE, "user_1")).name == "Ana Paz"


async def test_a_phone_reaches_one_active_person_of_a_tenant(store: Store) -> None:
    await save(store, a_person())
    with pytest.raises(PhoneTaken):
        await save(store, a_person("user_2"))
    with pytest.raises(PhoneTaken):
        await store.directory.enrol(Tenant(id=MINE, name="M"), [evolve(a_person("user_2"), facts=())])
    await save(store, a_person("user_1", tenant=OTHER))
    await save(store, a_person("user_3", phone="+5491155550003"))
    third = await store.directory.user(MINE, "user_3")
    with pytest.raises(PhoneTaken):
        await save(store, third.reached_by(PHONE, at=NOW, origin=HERE))
    first = await store.directory.user(MINE, "user_1")
    await save(store, first.deactivated(at=NOW, origin=HERE), third.reached_by(PHONE, at=NOW, origin=HERE))
    gone = await store.directory.user(MINE, "user_1")
    with pytest.raises(PhoneTaken):
        await save(store, gone.reactivated(at=NOW, origin=HERE))
    unreachable = [User(id=f"user_{n}", tenant=MINE, name="x", role="bot") for n in (8, 9)]
    await store.directory.enrol(Tenant(id=MINE, name="M"), unreachable)


async def test_of_owners_who_remove_each_other_at_once_one_stays(store: Store) -> None:
    people = [a_person(f"user_{n}", phone=f"+549115555000{n}") for n in range(4)]
    await save(store, *people, a_person("user_x", tenant=MINE, phone="+5491155550009", role="admin"))

    async def remove(user_id: str) -> None:
        for _ in range(20):
            try:
                async with store.begin(ACTING) as tx:
                    owners = await tx.people.owners(MINE)
                    await asyncio.sleep(0)
                    if len(owners) > 1:
                        user = await tx.people.get(MINE, user_id)
                        await tx.people.save(user.deactivated(at=NOW, origin=HERE))
            except StaleVersion:
                continue
            return

    await asyncio.gather(*(asyncio.create_task(remove(user.id), context=contextvars.Context()) for user in people))
    assert len([user for user in await store.directory.users(MINE, role="owner") if user.active]) == 1


async def test_a_name_that_an_account_had_is_free_again(store: Store) -> None:
    ways = {"phone": PHONE, "email": "ana@example.com"}
    first = Account.registered(user_id="user_1", tenant=MINE, at=NOW, origin=HERE, founded=False, **ways)
    second = Account.registered(
        user_id="user_2", tenant=MINE, at=NOW, origin=HERE, founded=False, phone="+5491155550002"
    )
    async with store.begin(ACTING) as tx:
        first = await tx.accounts.save(first)
        second = await tx.accounts.save(second)
    with pytest.raises(LoginTaken):
        async with store.begin(ACTING) as tx:
            await tx.accounts.save(second.reached_by(PHONE))
    async with store.begin(ACTING) as tx:
        await tx.accounts.save(first.reached_by(None))
        second = await tx.accounts.save(second.reached_by(PHONE))
        assert await tx.accounts.by_login(f"phone:{PHONE}") == second
    found = await store.accounts.by_login(f"phone:{PHONE}")
    assert found is not None
    assert found.id == "user_2"
    assert await store.accounts.by_login("phone:+5491155550002") is None
    kept = await store.accounts.by_login("email:ana@example.com")
    assert kept is not None
    assert (kept.id, kept.phone) == ("user_1", None)


async def test_credentials_are_listed_without_what_is_secret(store: Store) -> None:
    async with store.begin(ACTING) as tx:
        await tx.credentials.put(MINE, "whatsapp:1", {"token": "EAAG"}, label="+54 11", at=NOW)
        await tx.credentials.put(MINE, "afip", {"key": "PEM"}, label="CUIT", at=NOW + timedelta(hours=1))
        await tx.credentials.put(MINE, "afip", {"key": "PEM 2"}, label="CUIT 2", at=NOW + timedelta(hours=2))
    kept = await store.secrets.kept(MINE)
    assert [(each.purpose, each.kind, each.label, each.updated_at) for each in kept] == [
        ("afip", "afip", "CUIT 2", NOW + timedelta(hours=2)),
        ("whatsapp:1", "whatsapp", "+54 11", NOW),
    ]
    assert "EAAG" not in repr(kept)
    assert list(await store.secrets.kept(OTHER)) == []
    assert await store.secrets.get(MINE, "afip") == {"key": "PEM 2"}


async def test_a_credential_and_the_fact_of_it_commit_or_vanish_together(store: Store) -> None:
    fact = CredentialSet(tenant=MINE, at=NOW, user_id="user_1", kind="afip", label="CUIT")
    with pytest.raises(Invalid):
        async with store.begin(ACTING) as tx:
            await tx.credentials.put(MINE, "afip", {"key": "PEM"}, label="CUIT", at=NOW)
            await tx.facts.add(fact)
            raise Invalid("no")
    assert await store.secrets.get(MINE, "afip") is None
    assert (await store.audit.page(MINE, limit=9, cursor=None))[0] == []
    async with store.begin(ACTING) as tx:
        await tx.credentials.put(MINE, "afip", {"key": "PEM"}, label="CUIT", at=NOW)
    async with store.begin(ACTING) as tx:
        assert await tx.credentials.remove(MINE, "afip") == "CUIT"
        assert await tx.credentials.remove(MINE, "afip") is None
        assert await tx.credentials.remove(MINE, "whatsapp:1") is None
    assert await store.secrets.get(MINE, "afip") is None
    assert list(await store.secrets.kept(MINE)) == []

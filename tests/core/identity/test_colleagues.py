"""Who works here, changed; tenants as an operator begins them."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from attrs import evolve

from core.identity import (
    OPERATOR,
    AboveOneself,
    LastOwner,
    LoginTaken,
    PhoneTaken,
    SecondFactorNeeded,
    Tenant,
    Unauthenticated,
    User,
    UserNotFound,
    WrongCode,
)
from core.identity.events import Deactivated, Enrolled, PhoneChanged, RoleChanged, SessionRevoked
from core.identity.model import FOR_PEOPLE, RANK, ROLES
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Denied, Invalid, StaleVersion
from tests.contracts.samples import MINE, OTHER
from tests.core.identity.house import HERE, MARTA, OWNER, PHONE, House, acting

NEW: Any = {"name": " Carlos Gómez ", "role": "technician", "phone": "011 15-5555-0002"}
CARLOS: str = "+5491155550002"
OLGA = Actor(tenant=MINE, id="user_olga", role="owner", correlation="corr_2")
ADMIN = Actor(tenant=MINE, id="user_alba", role="admin", correlation="corr_2")


async def enrol(house: House, actor: Actor = OLGA, **wanted: str) -> User:
    return await house.colleagues.enrol(actor=actor, origin=HERE, **(NEW | wanted))


async def change(house: House, user_id: str, actor: Actor = OLGA, **wanted: Any) -> User:
    return await house.colleagues.change(actor=actor, user_id=user_id, origin=HERE, **wanted)


async def test_whoever_is_enrolled_logs_in_by_a_code_on_their_phone(house: House) -> None:
    carlos = await enrol(house)
    assert (carlos.name, carlos.role, carlos.phone, carlos.active, carlos.version) == (
        "Carlos Gómez",
        "technician",
        CARLOS,
        True,
        1,
    )
    tokens = await house.log_in(CARLOS)
    assert tokens.user == carlos
    fact = (await house.facts())[0]
    assert isinstance(fact, Enrolled)
    assert (fact.user_id, fact.role, fact.phone, fact.ip, fact.agent) == (
        carlos.id,
        "technician",
        CARLOS,
        HERE.ip,
        HERE.agent,
    )


async def test_with_an_address_they_log_in_by_a_password_once_they_have_set_one(house: House) -> None:
    carlos = await enrol(house, email="Carlos@Example.com")
    tokens = await house.log_in(CARLOS)
    await house.passwords.set_password(actor=acting(tokens), new="correct horse 7!", origin=HERE)
    again = await house.passwords.log_in(email="carlos@example.com", password="correct horse 7!", origin=HERE)
    assert again.user.id == carlos.id
    with pytest.raises(LoginTaken):
        await enrol(house, phone="+5491155550007", email="carlos@example.com")
    assert [user.phone for user in await house.store.directory.users(MINE, role="technician")] == [CARLOS]


@pytest.mark.parametrize("role", ROLES)
async def test_people_are_enrolled_and_changed_by_owners_and_admins_only(house: House, role: str) -> None:
    actor = Actor(tenant=MINE, id="user_x", role=role, correlation="corr_2")
    if role in ("owner", "admin"):
        assert (await enrol(house, actor)).role == "technician"
        assert (await change(house, MARTA.id, actor, name="Marta")).name == "Marta"
    else:
        with pytest.raises(Denied):
            await enrol(house, actor)
        with pytest.raises(Denied):
            await change(house, MARTA.id, actor, name="Marta")


@pytest.mark.parametrize("role", ["bot", "service", "boss", ""])
async def test_a_person_gets_a_role_for_people(house: House, role: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await enrol(house, role=role)
    assert refusal.value.field == "role"
    with pytest.raises(Invalid):
        await change(house, MARTA.id, role=role)
    assert role not in FOR_PEOPLE


async def test_nobody_gives_a_role_above_their_own_nor_changes_who_has_one(house: House) -> None:
    for forbidden in ({"role": "owner"}, {"role": "owner", "name": "Otra"}):
        with pytest.raises(AboveOneself) as refusal:
            await change(house, MARTA.id, ADMIN, **forbidden)
        assert refusal.value.details() == {"role": "admin", "other": "owner"}
    with pytest.raises(AboveOneself):
        await enrol(house, ADMIN, role="owner")
    for wanted in ({"role": "technician"}, {"active": False}, {"phone": "+5491155550033"}, {"name": "Olga"}):
        with pytest.raises(AboveOneself):
            await change(house, OWNER.id, ADMIN, **wanted)
    assert await house.names() == []
    assert (await change(house, MARTA.id, ADMIN, role="admin")).role == "admin"
    assert (await change(house, MARTA.id, OLGA, role="owner")).role == "owner"


def test_every_role_has_its_rank_and_those_of_programs_are_the_lowest() -> None:
    assert set(RANK) == set(ROLES)
    assert RANK["owner"] > RANK["admin"] > RANK["agent"] > RANK["bot"] > RANK["service"]
    assert min(RANK[role] for role in FOR_PEOPLE) > RANK["bot"]


@pytest.mark.parametrize("wanted", [{"active": False}, {"role": "admin"}])
async def test_the_last_active_owner_stays(house: House, wanted: Any) -> None:
    bea = await enrol(house, role="owner")
    await change(house, bea.id, active=False)
    with pytest.raises(LastOwner):
        await change(house, OWNER.id, **wanted)
    assert (await house.store.directory.user(MINE, OWNER.id)).owns
    await change(house, bea.id, active=True)
    assert not (await change(house, OWNER.id, **wanted)).owns


async def test_of_two_owners_who_remove_each_other_one_stays() -> None:
    async def pause(_: str) -> None:
        await asyncio.sleep(0)

    for _ in range(5):
        house = await House(pause=pause).move_in()
        bea = await enrol(house, role="owner")

        async def remove(user_id: str, house: House = house) -> bool:
            try:
                await change(house, user_id, active=False)
            except LastOwner:
                return False
            return True

        said = await asyncio.gather(
            *(asyncio.create_task(remove(each), context=contextvars.Context()) for each in (bea.id, OWNER.id))
        )
        assert sorted(said) == [False, True]


async def test_whoever_leaves_is_logged_out_everywhere_and_cannot_come_back(house: House) -> None:
    tokens = await house.log_in()
    left = await change(house, MARTA.id, active=False)
    assert not left.active
    with pytest.raises(Unauthenticated):
        await house.identity.who(token=tokens.access, correlation="c")
    with pytest.raises(Unauthenticated):
        await house.sessions.refresh(token=tokens.refresh, origin=HERE)
    with pytest.raises(WrongCode):
        await house.log_in()
    facts = await house.facts()
    assert [fact.user_id for fact in facts if isinstance(fact, Deactivated)] == [MARTA.id]
    assert [fact.reason for fact in facts if isinstance(fact, SessionRevoked)] == ["left"]
    await change(house, MARTA.id, active=True)
    assert (await house.log_in()).user.id == MARTA.id


async def test_another_role_logs_out_and_counts_at_once(house: House) -> None:
    tokens = await house.log_in()
    await change(house, MARTA.id, role="technician")
    with pytest.raises(Unauthenticated):
        await house.identity.who(token=tokens.access, correlation="c")
    again = await house.log_in()
    assert (await house.identity.who(token=again.access, correlation="c")).role == "technician"
    fact = next(fact for fact in await house.facts() if isinstance(fact, RoleChanged))
    assert (fact.was, fact.role, fact.user_id) == ("dispatcher", "technician", MARTA.id)


async def test_a_name_logs_nobody_out_and_the_same_again_is_nothing(house: House) -> None:
    tokens = await house.log_in()
    before = await house.names()
    renamed = await change(house, MARTA.id, name="Marta D.")
    same = await change(
        house,
        MARTA.id,
        name="Marta D.",
        role="dispatcher",
        phone="011 15-5555-0001",
        active=True,
        version=renamed.version,
    )
    assert same.version == renamed.version
    assert await house.names() == before
    assert (await house.identity.who(token=tokens.access, correlation="c")).id == MARTA.id


async def test_a_new_phone_is_the_one_to_log_in_by_and_the_old_one_is_not(house: House) -> None:
    tokens = await house.log_in()
    await change(house, MARTA.id, phone="011 15-5555-0044")
    with pytest.raises(Unauthenticated):
        await house.identity.who(token=tokens.access, correlation="c")
    again = await house.log_in("+5491155550044")
    assert again.user.id == MARTA.id
    stranger = await house.log_in(PHONE)
    assert stranger.user.tenant != MINE
    fact = next(fact for fact in await house.facts() if isinstance(fact, PhoneChanged))
    assert (fact.was, fact.phone) == (PHONE, "+5491155550044")


async def test_a_second_factor_and_an_address_survive_a_new_phone(house: House) -> None:
    tokens = await house.log_in()
    secret = (await house.factors.enrol(actor=acting(tokens), origin=HERE)).secret
    await house.factors.confirm(actor=acting(tokens), code=house.app_code(secret), origin=HERE)
    await change(house, MARTA.id, phone="+5491155550044")
    with pytest.raises(SecondFactorNeeded):
        await house.log_in("+5491155550044")
    house.clock.forward(minutes=1)
    await house.otp.verify(phone="+5491155550044", code=house.code, totp=house.app_code(secret), origin=HERE)


async def test_a_phone_goes_from_who_left_to_who_takes_the_place(house: House) -> None:
    await house.log_in()
    await change(house, MARTA.id, active=False)
    carlos = await enrol(house, phone=PHONE)
    assert (await house.log_in(PHONE)).user.id == carlos.id
    with pytest.raises(PhoneTaken):
        await change(house, MARTA.id, active=True)
    back = await change(house, MARTA.id, active=True, phone="+5491155550044")
    assert (await house.log_in("+5491155550044")).user.id == back.id
    assert (await house.log_in(PHONE)).user.id == carlos.id


async def test_two_active_colleagues_have_two_phones(house: House) -> None:
    with pytest.raises(PhoneTaken):
        await enrol(house, phone=PHONE)
    carlos = await enrol(house)
    with pytest.raises(PhoneTaken):
        await change(house, carlos.id, phone=PHONE)
    assert (await house.store.directory.user(MINE, carlos.id)).phone == CARLOS


async def test_a_phone_by_which_somebody_elsewhere_logs_in_is_not_to_be_had(house: House) -> None:
    stranger = await house.log_in("+5491155550066")
    assert stranger.user.tenant != MINE
    await house.log_in()
    with pytest.raises(LoginTaken):
        await change(house, MARTA.id, phone="+5491155550066")
    assert (await house.log_in("+5491155550066")).user.id == stranger.user.id
    assert (await house.log_in()).user.id == MARTA.id


async def test_a_change_of_what_is_no_longer_so_is_refused(house: House) -> None:
    read = await house.store.directory.user(MINE, MARTA.id)
    await change(house, MARTA.id, version=read.version, name="Marta D.")
    with pytest.raises(StaleVersion) as refusal:
        await change(house, MARTA.id, version=read.version, name="Marta Díaz")
    assert refusal.value.details() == {"kind": "user", "id": MARTA.id, "version": read.version}


async def test_of_many_changes_of_one_version_one_is_made() -> None:
    async def pause(_: str) -> None:
        await asyncio.sleep(0)

    house = await House(pause=pause).move_in()
    read = await house.store.directory.user(MINE, MARTA.id)

    async def rename(number: int) -> bool:
        try:
            await change(house, MARTA.id, version=read.version, name=f"Marta {number}")
        except StaleVersion:
            return False
        return True

    said = await asyncio.gather(*(asyncio.create_task(rename(n), context=contextvars.Context()) for n in range(5)))
    assert sorted(said) == [False, False, False, False, True]


@pytest.mark.parametrize(
    "wanted", [{"name": ""}, {"name": " " * 9}, {"name": "x" * 121}, {"phone": "12"}, {"phone": ""}, {"phone": "x"}]
)
async def test_what_makes_no_sense_is_refused(house: House, wanted: Any) -> None:
    with pytest.raises(Invalid):
        await enrol(house, **wanted)
    with pytest.raises(Invalid):
        await change(house, MARTA.id, **wanted)
    assert await house.store.directory.user(MINE, MARTA.id) == MARTA


async def test_nobody_reaches_the_people_of_another_tenant(house: House) -> None:
    await house.store.directory.enrol(Tenant(id=OTHER, name="O"), [evolve(OWNER, tenant=OTHER, phone=None)])
    stranger = Actor(tenant=OTHER, id="user_olga", role="owner", correlation="corr_2")
    with pytest.raises(UserNotFound):
        await change(house, MARTA.id, stranger, name="x")
    other = await enrol(house, stranger, phone=PHONE)
    assert other.tenant == OTHER
    assert (await house.store.directory.user(MINE, MARTA.id)).phone == PHONE


async def test_an_operator_begins_a_tenant_whose_owner_logs_in(house: House) -> None:
    tenant, owner = await house.tenants.create(
        name=" Sur ", owner_name="Ana Paz", owner_phone="011 15-5555-0077", origin=HERE
    )
    tokens = await house.log_in("+5491155550077")
    assert (tokens.user, tokens.user.role, tenant.name) == (owner, "owner", "Sur")
    assert (await house.names(tenant.id))[:2] == ["identity.enrolled", "identity.registered"]
    page, _ = await house.audit.read(actor=acting(tokens), limit=9)
    assert page[-1].actor == OPERATOR
    assert [each.name for each in await house.tenants.list()] == ["Palermo", "Sur"]


async def test_an_owner_may_begin_with_an_address_and_a_password(house: House) -> None:
    given: Any = {
        "owner_name": "Ana Paz",
        "owner_phone": "011 15-5555-0077",
        "email": "ana@example.com",
        "origin": HERE,
    }
    for password in (None, "short", "password1"):
        with pytest.raises(Invalid):
            await house.tenants.create(name="Sur", password=password, **given)
    tenant, owner = await house.tenants.create(name="Sur", password="correct horse 7!", **given)
    tokens = await house.passwords.log_in(email="ana@example.com", password="correct horse 7!", origin=HERE)
    assert tokens.user == owner
    for taken in ({"email": "ana@example.com", "owner_phone": "011 15-5555-0078"}, {"email": "bea@example.com"}):
        with pytest.raises(LoginTaken):
            await house.tenants.create(name="Norte", password="correct horse 7!", **(given | taken))
    assert [each.id for each in await house.tenants.list() if each.name != "Palermo"] == [tenant.id]


async def test_a_machine_never_changes_people(house: House) -> None:
    with pytest.raises(Invalid):
        await house.machines.make(actor=OLGA, label="n8n", scopes=frozenset({"users.write"}))
    robot = Actor(tenant=MINE, id="relay", role="service", correlation="corr_2")
    with pytest.raises(AboveOneself):
        await enrol(house, robot)
    with pytest.raises(NotAllowed):
        await enrol(house, Actor(tenant=MINE, id="b", role="bot", correlation="c"))

"""Who is asking, and who works here."""

from __future__ import annotations

import hashlib

import pytest

from core.identity import Tenant, Unauthenticated, User, UserNotFound, token_hash
from core.identity.model import ROLES
from core.kernel.actor import NotAllowed
from core.kernel.errors import Denied, Invalid, NotFound
from tests.contracts.samples import MINE
from tests.core.office import BOT, MARTA, STRANGER, Office


async def test_a_bearer_is_the_person_whose_token_it_is(office: Office) -> None:
    actor = await office.identity.who(token="lucia's token", correlation="corr_9")
    assert (actor.tenant, actor.id, actor.role, actor.correlation) == (MINE, "user_lucia", "technician", "corr_9")
    assert (actor.causation, actor.reaction) == (None, None)


@pytest.mark.parametrize("token", ["", "wrong", "lucia's token ", token_hash("lucia's token")])
async def test_any_other_token_is_nobody_s(office: Office, token: str) -> None:
    with pytest.raises(Unauthenticated, match="send a valid bearer token") as refusal:
        await office.identity.who(token=token, correlation="corr_9")
    assert isinstance(refusal.value, Denied)


async def test_who_has_left_is_nobody(office: Office) -> None:
    gone = User(id="user_gone", tenant=MINE, name="Ex", role="admin", active=False, token_hash=token_hash("old"))
    await office.store.directory.enrol(Tenant(id=MINE, name="x"), [gone])
    with pytest.raises(Unauthenticated):
        await office.identity.who(token="old", correlation="corr_9")


def test_only_a_digest_of_a_token_is_stored_and_never_printed() -> None:
    assert token_hash("abc") == hashlib.sha256(b"abc").hexdigest()
    assert token_hash("abc") not in repr(User(id="u", tenant=MINE, name="U", role="bot", token_hash=token_hash("abc")))


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_be_had(role: str) -> None:
    assert User(id="u", tenant=MINE, name="U", role=role).active


def test_a_role_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        User(id="u", tenant=MINE, name="U", role="boss")
    assert refusal.value.field == "role"


async def test_colleagues_are_listed_by_name_and_role(office: Office) -> None:
    people = await office.identity.people(actor=MARTA)
    assert [user.name for user in people] == ["Carlos Gómez", "Lucía Paz", "Marta Díaz", "Raúl Sosa"]
    technicians = await office.identity.people(actor=MARTA, role="technician")
    assert [user.id for user in technicians] == ["user_carlos", "user_lucia", "user_raul"]
    assert (await office.identity.person(actor=MARTA, user_id="user_lucia")).name == "Lucía Paz"
    assert (await office.identity.tenant(actor=MARTA)).name == "Climatización Palermo"


async def test_colleagues_are_for_whom_the_table_says(office: Office) -> None:
    with pytest.raises(NotAllowed):
        await office.identity.people(actor=BOT)
    with pytest.raises(NotAllowed):
        await office.identity.person(actor=BOT, user_id="user_lucia")


async def test_nobody_sees_another_tenant_s_people(office: Office) -> None:
    assert await office.identity.people(actor=STRANGER) == []
    with pytest.raises(UserNotFound, match="there is no user user_lucia"):
        await office.identity.person(actor=STRANGER, user_id="user_lucia")
    with pytest.raises(NotFound):
        await office.identity.tenant(actor=STRANGER)

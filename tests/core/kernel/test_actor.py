"""Who may do what."""

from __future__ import annotations

from typing import Final

import pytest

from core.identity.model import ROLES
from core.kernel.actor import MAY, Actor, NotAllowed
from core.kernel.errors import Denied
from core.kernel.events import Envelope
from core.messaging.events import MessagesAggregated
from tests.contracts.samples import MINE, NOW

PERMISSIONS: Final = (
    "circuits.read",
    "circuits.write",
    "conversations.read",
    "conversations.write",
    "customers.read",
    "customers.write",
    "invoices.read",
    "invoices.write",
    "jobs.move",
    "jobs.read",
    "jobs.write",
    "notifications.read",
    "tracking.read",
    "tracking.update",
    "users.read",
)

# One letter for each permission above: y may, o may what is their own, n may not.
TABLE: Final = {
    "owner": "yyyyyyyyyyyyyyy",
    "admin": "yyyyyyyyyyyyyyy",
    "dispatcher": "nnnnyyyyyyyyyyy",
    "technician": "nnnnnnnnoonnnoy",
    "agent": "nnyyyynnnyyynny",
    "planner": "yynnnnnnnnnnnny",
    "bot": "nnyyyynnnyynnnn",
    "service": "yyyyyyyyyyyyyyy",
    "nobody": "nnnnnnnnnnnnnnn",
}
CELLS: Final = [
    pytest.param(role, permission, letter, id=f"{role}-{permission}-{letter}")
    for role, letters in TABLE.items()
    for permission, letter in zip(PERMISSIONS, letters, strict=True)
]


def actor(role: str) -> Actor:
    return Actor(tenant=MINE, id="user_me", role=role, correlation="corr_1")


@pytest.mark.parametrize(("role", "permission", "letter"), CELLS)
def test_a_role_may_what_the_table_says(role: str, permission: str, letter: str) -> None:
    me = actor(role)
    assert me.may(permission, owner="user_else") is (letter == "y")
    assert me.may(permission, owner=None) is (letter == "y")
    assert me.may(permission, owner="user_me") is (letter in "yo")


def test_the_table_leaves_out_no_role_and_no_permission() -> None:
    assert set(TABLE) - {"nobody"} == set(ROLES)
    granted = {permission.removesuffix(":own") for permissions in MAY.values() for permission in permissions}
    assert granted - {"*"} == set(PERMISSIONS)


@pytest.mark.parametrize("role", ["dispatcher", "technician", "agent"])
def test_a_permission_that_nobody_knows_is_nobody_s_but_the_masters(role: str) -> None:
    assert not actor(role).may("house.burn", owner="user_me")
    assert actor("owner").may("house.burn")


def test_a_refusal_names_role_and_permission() -> None:
    with pytest.raises(NotAllowed, match=r"a technician may not invoices\.write here") as refusal:
        actor("technician").must("invoices.write")
    assert refusal.value.details() == {"role": "technician", "permission": "invoices.write"}
    assert isinstance(refusal.value, Denied)
    assert refusal.value.code == "not_allowed"


def test_whoever_may_must_not_be_stopped() -> None:
    actor("technician").must("jobs.move", owner="user_me")
    with pytest.raises(NotAllowed):
        actor("technician").must("jobs.move", owner="user_else")


def test_a_reaction_acts_for_the_fact_s_tenant_and_story() -> None:
    fact = MessagesAggregated(tenant=MINE, at=NOW, batch_id="b", thread="t", messages=1, reason="timeout")
    envelope = Envelope(id="fact_7", fact=fact, actor="messaging.aggregator", correlation="batch_1", causation="fact_6")
    me = Actor.reacting(envelope, reaction="messaging.understand")
    assert me == Actor(
        tenant=MINE,
        id="messaging.understand",
        role="service",
        correlation="batch_1",
        causation="fact_7",
        reaction="messaging.understand",
    )


def test_an_unsettled_actor_differs_by_its_reaction_only() -> None:
    me = Actor(tenant=MINE, id="r", role="service", correlation="c", causation="fact_7", reaction="r")
    assert me.unsettled() == Actor(tenant=MINE, id="r", role="service", correlation="c", causation="fact_7")

"""Tokens of machines, and the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.identity import Origin, ServiceTokenNotFound, Unauthenticated
from core.identity.events import FACTS, OUTSIDE
from core.identity.model import SCOPES
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid
from tests.contracts.samples import MINE, OTHER
from tests.core.identity.house import HERE, House

OLGA = Actor(tenant=MINE, id="user_olga", role="owner", correlation="corr_1")
STRANGER = Actor(tenant=OTHER, id="user_z", role="owner", correlation="corr_1")
CLERK = Actor(tenant=MINE, id="user_marta", role="dispatcher", correlation="corr_1")
READS = frozenset({"jobs.read"})


async def test_a_machine_may_do_what_its_scopes_say_and_nothing_else(house: House) -> None:
    token, kept = await house.machines.make(actor=OLGA, label=" n8n ", scopes=READS)
    assert token.startswith("cst_")
    machine = await house.identity.who(token=token, correlation="corr_9")
    assert (machine.tenant, machine.id, machine.role, machine.correlation) == (MINE, kept.id, "service", "corr_9")
    assert {scope for scope in SCOPES if machine.may(scope)} == READS
    assert not machine.may("service_tokens.write")
    assert machine.unsettled().may("jobs.read")
    assert not machine.unsettled().may("jobs.write")
    with pytest.raises(NotAllowed):
        machine.must("sessions.revoke")
    assert kept.label == "n8n"


async def test_only_a_digest_of_the_token_is_kept(house: House) -> None:
    token, kept = await house.machines.make(actor=OLGA, label="n8n", scopes=READS)
    assert token not in repr(kept) + repr(await house.facts()) + repr(await house.machines.list(actor=OLGA))


async def test_a_token_ends_with_its_life_or_when_it_is_revoked(house: House) -> None:
    short, _ = await house.machines.make(actor=OLGA, label="a", scopes=READS, life=timedelta(hours=1))
    long, kept = await house.machines.make(actor=OLGA, label="b", scopes=READS)
    house.clock.forward(hours=1)
    with pytest.raises(Unauthenticated):
        await house.identity.who(token=short, correlation="c")
    assert (await house.identity.who(token=long, correlation="c")).id == kept.id
    await house.machines.revoke(actor=OLGA, token_id=kept.id)
    await house.machines.revoke(actor=OLGA, token_id=kept.id)
    with pytest.raises(Unauthenticated):
        await house.identity.who(token=long, correlation="c")
    assert (await house.names()).count("identity.service_token_revoked") == 1


@pytest.mark.parametrize("token", ["cst_", "cst_x", "cst_é", "cst_\ud800", "", "x" * 100_000])
async def test_any_other_token_is_nobody_s(house: House, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await house.machines.who(token=token, correlation="c")


async def test_nobody_gives_what_they_do_not_have(house: House) -> None:
    for scopes, actor in ((READS, CLERK), (frozenset({"nonsense"}), CLERK)):
        with pytest.raises(NotAllowed):
            await house.machines.make(actor=actor, label="x", scopes=scopes)
    token, _ = await house.machines.make(actor=OLGA, label="x", scopes=READS)
    machine = await house.identity.who(token=token, correlation="c")
    with pytest.raises(NotAllowed):
        await house.machines.make(actor=machine, label="x", scopes=READS)
    with pytest.raises(NotAllowed):
        await house.machines.list(actor=CLERK)


@pytest.mark.parametrize(
    ("label", "scopes", "life", "field"),
    [
        ("x", frozenset({"*"}), timedelta(days=1), "scopes"),
        ("x", frozenset({"jobs.read:own"}), timedelta(days=1), "scopes"),
        ("x", frozenset[str](), timedelta(days=1), "scopes"),
        (" ", READS, timedelta(days=1), "label"),
        ("x", READS, timedelta(days=367), "life"),
        ("x", READS, timedelta(0), "life"),
    ],
)
async def test_what_makes_no_token_is_refused_by_its_field(
    house: House, label: str, scopes: frozenset[str], life: timedelta, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await house.machines.make(actor=OLGA, label=label, scopes=scopes, life=life)
    assert refusal.value.field == field


async def test_another_tenant_sees_and_revokes_nothing(house: House) -> None:
    _, kept = await house.machines.make(actor=OLGA, label="x", scopes=READS)
    assert await house.machines.list(actor=STRANGER) == []
    with pytest.raises(ServiceTokenNotFound):
        await house.machines.revoke(actor=STRANGER, token_id=kept.id)
    assert [each.id for each in await house.machines.list(actor=OLGA)] == [kept.id]


async def test_the_audit_log_says_who_what_when_and_from_where(house: House) -> None:
    tokens = await house.log_in()
    page, _ = await house.audit.read(actor=OLGA, limit=1)
    said = page[0]
    assert (said.event_type, said.actor, said.timestamp, said.correlation) == (
        "identity.logged_in",
        "user_marta",
        house.clock(),
        "corr_1",
    )
    assert said.payload["ip"] == "203.0.113.7"
    assert said.payload["agent"] == "Firefox"
    assert said.payload["session_id"] == tokens.session_id


async def test_the_audit_log_is_for_who_may_and_for_one_tenant(house: House) -> None:
    await house.log_in()
    with pytest.raises(NotAllowed):
        await house.audit.read(actor=CLERK)
    assert await house.audit.read(actor=STRANGER) == ([], None)


def test_every_fact_has_a_name_of_its_own_under_identity() -> None:
    names = [fact.name for fact in FACTS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("identity.") for name in names)
    assert OUTSIDE == "outside"


def test_an_agent_is_kept_short_and_printable() -> None:
    assert Origin("c", agent="Fire\x1b[31mfox\r\n" + "x" * 500).agent == ("Fire[31mfox" + "x" * 500)[:200]
    assert HERE.agent == "Firefox"

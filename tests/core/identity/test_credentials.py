"""Credentials: kept, listed, forgotten, and all of it in the audit log without a value."""

from __future__ import annotations

from typing import Any

import pytest

from core.identity import CredentialNotFound
from core.identity.events import CredentialRemoved, CredentialSet
from core.identity.model import KINDS, ROLES
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid
from tests.contracts.samples import MINE, OTHER
from tests.core.identity.house import HERE, House

OLGA = Actor(tenant=MINE, id="user_olga", role="owner", correlation="corr_2")
VALUES: Any = {kind.name: {name: f"secret-{name}" for name in kind.fields} for kind in KINDS.values()}


async def keep(house: House, kind: str = "afip", actor: Actor = OLGA, **more: Any) -> str:
    given: Any = {"values": VALUES[kind], "label": "CUIT 30-1", **more}
    return await house.credentials.set(actor=actor, kind=kind, origin=HERE, **given)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_credential_is_kept_and_every_change_of_it_is_in_the_audit_log(house: House, kind: str) -> None:
    purpose = await keep(house, kind)
    assert await house.store.secrets.get(MINE, purpose) == VALUES[kind]
    await keep(house, kind, label="")
    await house.credentials.remove(actor=OLGA, purpose=purpose, origin=HERE)
    assert await house.store.secrets.get(MINE, purpose) is None
    facts = await house.facts()
    about = [(fact.kind, fact.label) for fact in facts if isinstance(fact, CredentialSet | CredentialRemoved)]
    listed = "secret-phone_number_id" if kind == "whatsapp" else ""
    assert about == [(kind, "CUIT 30-1"), (kind, listed), (kind, listed)]
    assert [type(fact) for fact in facts] == [CredentialSet, CredentialSet, CredentialRemoved]
    assert [(fact.user_id, fact.ip, fact.agent) for fact in facts if isinstance(fact, CredentialSet)] == [
        ("user_olga", HERE.ip, HERE.agent)
    ] * 2
    assert [value for value in VALUES[kind].values() if value in repr(facts) and value != listed] == []


@pytest.mark.parametrize("role", ROLES)
async def test_credentials_are_for_owners_and_admins(house: House, role: str) -> None:
    actor = Actor(tenant=MINE, id="user_x", role=role, correlation="corr_2")
    await keep(house)
    if role in ("owner", "admin", "service"):
        await keep(house, actor=actor)
        assert [each.purpose for each in await house.credentials.list(actor=actor)] == ["afip"]
        await house.credentials.remove(actor=actor, purpose="afip", origin=HERE)
    else:
        with pytest.raises(NotAllowed):
            await keep(house, actor=actor)
        with pytest.raises(NotAllowed):
            await house.credentials.list(actor=actor)
        with pytest.raises(NotAllowed):
            await house.credentials.remove(actor=actor, purpose="afip", origin=HERE)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"certificate": "SECRET-C"},
        {"certificate": "SECRET-C", "key": ""},
        {"certificate": "SECRET-C", "key": "  "},
        {"certificate": "SECRET-C", "key": 12},
        {"certificate": "SECRET-C", "key": "SECRET-K", "more": "SECRET-M"},
        {"certificate": "SECRET-C", "key": "SECRET" * 9000},
        {"certificate": ["SECRET-C"], "key": "SECRET-K"},
    ],
)
async def test_what_is_no_such_credential_is_refused_without_a_word_of_it(house: House, values: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        await keep(house, values=values)
    assert "SECRET" not in str(refusal.value) + repr(refusal.value.details())
    assert await house.names() == []


async def test_a_kind_that_there_is_not_is_refused(house: House) -> None:
    with pytest.raises(Invalid) as refusal:
        await house.credentials.set(actor=OLGA, kind="telegram", values={}, origin=HERE)
    assert refusal.value.field == "kind"


async def test_nobody_reaches_the_credentials_of_another_tenant(house: House) -> None:
    await keep(house)
    stranger = Actor(tenant=OTHER, id="user_olga", role="owner", correlation="corr_2")
    assert await house.credentials.list(actor=stranger) == []
    with pytest.raises(CredentialNotFound):
        await house.credentials.remove(actor=stranger, purpose="afip", origin=HERE)
    await keep(house, actor=stranger, values={"certificate": "x", "key": "y"})
    assert await house.store.secrets.get(MINE, "afip") == VALUES["afip"]

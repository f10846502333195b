"""The promises of the repositories and readers of accounts, sessions and service tokens, and of the audit log."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from adapters.sql import SqlStore
from core.identity import (
    Account,
    LoginTaken,
    Origin,
    ServiceToken,
    ServiceTokenNotFound,
    Session,
    SessionRules,
    Tenant,
    User,
    UserNotFound,
)
from core.identity.events import LoggedIn, Refused
from core.identity.model import RefreshToken
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, Invalid, NotFound, StaleVersion
from tests.contracts.conftest import Store
from tests.contracts.samples import MINE, NOW, OTHER, a_job

ACTING = Actor(tenant=MINE, id="user_1", role="service", correlation="corr_1")
HERE = Origin("corr_1", ip="203.0.113.7", agent="Firefox")
PHONE, EMAIL = "+5491155550001", "ana@example.com"


def an_account(user_id: str = "user_1", *, tenant: str = MINE, **ways: str | None) -> Account:
    return Account.registered(user_id=user_id, tenant=tenant, at=NOW, origin=HERE, founded=False, **ways)


def a_session(id_: str = "session_1", *, tenant: str = MINE, user_id: str = "user_1", at: Any = NOW) -> Session:
    token = RefreshToken(tenant, id_, "family", "secret")
    user = User(id=user_id, tenant=tenant, name="Ana", role="owner")
    return Session.opened(token=token, user=user, method="otp", at=at, origin=HERE, rules=SessionRules())


def a_token(id_: str = "machine_1", *, tenant: str = MINE, token_hash: str = "aa", at: Any = NOW) -> ServiceToken:
    return ServiceToken.made(
        id_=id_,
        tenant=tenant,
        label="n8n",
        scopes=frozenset({"jobs.read", "jobs.write"}),
        token_hash=token_hash,
        by="user_1",
        at=at,
        expires_at=at + timedelta(days=1),
    )


async def save(store: Store, *things: Account | Session | ServiceToken) -> None:
    for thing in things:
        async with store.begin(evolve(ACTING, tenant=thing.tenant)) as tx:
            if isinstance(thing, Account):
                await tx.accounts.save(thing)
            elif isinstance(thing, Session):
                await tx.log_ins.save(thing)
            else:
                await tx.service_tokens.save(thing)


async def test_an_account_comes_back_whole(store: Store) -> None:
    account = an_account(email=EMAIL, password_hash="$argon2id$x")
    async with store.begin(ACTING) as tx:
        saved = await tx.accounts.save(account)
        assert await tx.accounts.get(MINE, "user_1") == saved
        assert await tx.accounts.by_login(f"email:{EMAIL}") == saved
    assert (saved.version, saved.facts) == (1, ())
    enrolled = saved.enrol_totp("SECRET", at=NOW, origin=HERE)
    full = enrolled.confirm_totp(59_000_000, recovery=("a", "b"), at=NOW, origin=HERE)
    await save(store, evolve(full, phone=PHONE))
    kept = await store.accounts.by_login(f"phone:{PHONE}")
    assert kept is not None
    assert kept == evolve(full, phone=PHONE, version=2, facts=())
    assert (kept.totp_secret, kept.totp_step, kept.recovery) == ("SECRET", 59_000_000, ("a", "b"))
    assert await store.accounts.get(MINE, "user_1") == kept


async def test_an_account_that_is_not_there_is_none(store: Store) -> None:
    await save(store, an_account(email=EMAIL))
    async with store.begin(ACTING) as tx:
        assert await tx.accounts.get(OTHER, "user_1") is None
        assert await tx.accounts.by_login("email:other@example.com") is None
    assert await store.accounts.get(OTHER, "user_1") is None
    assert await store.accounts.get(MINE, "user_2") is None
    assert await store.accounts.by_login(f"phone:{EMAIL}") is None


async def test_a_log_in_name_leads_to_one_account_of_one_tenant(store: Store) -> None:
    await save(store, an_account(email=EMAIL))
    for other in (an_account("user_2", email=EMAIL), an_account("user_1", tenant=OTHER, phone=PHONE, email=EMAIL)):
        with pytest.raises(LoginTaken):
            await save(store, other)
    assert await store.accounts.by_login(f"phone:{PHONE}") is None


async def test_of_two_who_want_one_name_at_once_one_gets_it(store: Store) -> None:
    async def register(number: int) -> bool:
        try:
            async with store.begin(ACTING) as tx:
                await asyncio.sleep(0)
                await tx.accounts.save(an_account(f"user_{number}", phone=PHONE))
                await asyncio.sleep(0)
        except LoginTaken:
            return False
        return True

    said = await asyncio.gather(*(asyncio.create_task(register(n), context=contextvars.Context()) for n in range(4)))
    assert sorted(said) == [False, False, False, True]


async def test_the_second_of_two_writers_is_told_so(store: Store) -> None:
    await save(store, an_account(email=EMAIL), a_session(), a_token())
    account, session = await store.accounts.get(MINE, "user_1"), await store.log_ins.get(MINE, "session_1")
    token = await store.service_tokens.by_hash("aa")
    assert account is not None
    assert session is not None
    assert token is not None
    later = (
        account.rehashed("x"),
        session.end("revoked", at=NOW, origin=HERE),
        token.revoke(by="user_1", at=NOW),
    )
    await save(store, *later)
    for stale in later:
        with pytest.raises(StaleVersion):
            await save(store, stale)
    for twice in (an_account(email=EMAIL), a_session(), a_token(token_hash="bb")):
        with pytest.raises(StaleVersion):
            await save(store, twice)


async def test_a_new_tenant_and_its_first_person_commit_or_vanish_with_the_transaction(store: Store) -> None:
    tenant, user = (
        Tenant(id="tenant_new", name="New", phone=PHONE),
        User(id="user_new", tenant="tenant_new", name="Ana", role="owner", phone=PHONE),
    )
    founding = evolve(ACTING, tenant=tenant.id)
    with pytest.raises(Invalid):
        async with store.begin(founding) as tx:
            await tx.accounts.found(tenant, user)
            raise Invalid("no")
    with pytest.raises(NotFound):
        await store.directory.tenant("tenant_new")
    with pytest.raises(UserNotFound):
        await store.directory.user("tenant_new", "user_new")
    async with store.begin(founding) as tx:
        await tx.accounts.found(tenant, user)
    assert await store.directory.tenant("tenant_new") == tenant
    assert await store.directory.user("tenant_new", "user_new") == user


async def test_the_active_people_with_a_phone_are_found_in_all_tenants(store: Store) -> None:
    def person(id_: str, tenant: str, **more: Any) -> User:
        return User(id=id_, tenant=tenant, name=id_, role="technician", **{"phone": PHONE, **more})

    await store.directory.enrol(Tenant(id=OTHER, name="O"), [person("user_b", OTHER)])
    await store.directory.enrol(
        Tenant(id=MINE, name="M"),
        [person("user_c", MINE, phone=None), person("user_a", MINE), person("user_d", MINE, active=False)],
    )
    assert [(user.tenant, user.id) for user in await store.accounts.enrolled(PHONE)] == [
        (MINE, "user_a"),
        (OTHER, "user_b"),
    ]
    assert list(await store.accounts.enrolled("+5491155550002")) == []


async def test_a_session_comes_back_whole(store: Store) -> None:
    await save(store, a_session())
    session = await store.log_ins.get(MINE, "session_1")
    assert session == evolve(a_session(), version=1)
    assert session is not None
    token = RefreshToken(MINE, "session_1", "family", "next")
    await save(store, session.rotate(token, at=NOW + timedelta(days=1), origin=Origin("c"), rules=SessionRules()))
    rotated = await store.log_ins.get(MINE, "session_1")
    assert rotated is not None
    assert (rotated.counts(token), rotated.version, rotated.ip) == (True, 2, "")
    await save(store, rotated.end("revoked", at=NOW, origin=HERE))
    async with store.begin(ACTING) as tx:
        ended = await tx.log_ins.get(MINE, "session_1")
    assert ended is not None
    assert (ended.ended_at, ended.ended_because) == (NOW, "revoked")


async def test_the_sessions_that_nobody_ended_are_listed_for_their_person(store: Store) -> None:
    await save(
        store,
        a_session("session_1"),
        a_session("session_2", at=NOW + timedelta(hours=1)),
        a_session("session_3", user_id="user_2"),
        a_session("session_4", tenant=OTHER),
        a_session("session_5"),
    )
    fifth = await store.log_ins.get(MINE, "session_5")
    assert fifth is not None
    await save(store, fifth.end("revoked", at=NOW, origin=HERE))
    assert [session.id for session in await store.log_ins.of(MINE, "user_1")] == ["session_2", "session_1"]
    async with store.begin(ACTING) as tx:
        assert [session.id for session in await tx.log_ins.of(MINE, "user_1")] == ["session_2", "session_1"]
        assert await tx.log_ins.get(OTHER, "session_1") is None
    assert await store.log_ins.get(OTHER, "session_1") is None


async def test_a_service_token_comes_back_whole_and_is_found_by_its_digest(store: Store) -> None:
    await save(store, a_token(), a_token("machine_2", token_hash="bb", at=NOW + timedelta(hours=1)))
    await save(store, a_token("machine_3", tenant=OTHER, token_hash="cc"))
    assert await store.service_tokens.by_hash("aa") == evolve(a_token(), version=1)
    assert await store.service_tokens.by_hash("dd") is None
    assert [token.id for token in await store.service_tokens.of(MINE)] == ["machine_2", "machine_1"]
    async with store.begin(ACTING) as tx:
        token = await tx.service_tokens.get(MINE, "machine_1")
        await tx.service_tokens.save(token.revoke(by="user_1", at=NOW))
        with pytest.raises(ServiceTokenNotFound):
            await tx.service_tokens.get(OTHER, "machine_1")
    revoked = await store.service_tokens.by_hash("aa")
    assert revoked is not None
    assert revoked.revoked_at == NOW


async def test_the_audit_log_has_one_tenant_s_facts_of_identity_the_newest_first(store: Store) -> None:
    await save(store, a_session("session_1"), a_session("session_2"), a_session("session_x", tenant=OTHER))
    refused = Refused(tenant=MINE, at=NOW, user_id=None, method="otp", reason="wrong_code", subject=PHONE, ip="::1")
    async with store.begin(ACTING) as tx:
        await tx.jobs.save(a_job())
        await tx.facts.add(refused)
    first, cursor = await store.audit.page(MINE, limit=2, cursor=None)
    second, end = await store.audit.page(MINE, limit=2, cursor=cursor)
    facts = [envelope.fact for envelope in (*first, *second)]
    assert facts[0] == refused
    assert [fact.session_id for fact in facts[1:] if isinstance(fact, LoggedIn)] == ["session_2", "session_1"]
    assert (end, len(facts), first[0].actor) == (None, 3, "user_1")
    for foreign in ("x", "-1", "9" * 40, "٣"):
        with pytest.raises(Invalid):
            await store.audit.page(MINE, limit=2, cursor=foreign)


async def test_the_secret_of_a_second_factor_is_not_in_the_database(store: Store) -> None:
    await save(store, an_account(email=EMAIL).enrol_totp("JBSWY3DPEHPK3PXP", at=NOW, origin=HERE))
    if isinstance(store, SqlStore):
        import sqlalchemy as sa

        rows = await store._database.rows(sa.text("SELECT * FROM accounts"), tenant=MINE)
        assert len(rows) == 1
        assert "JBSWY3DPEHPK3PXP" not in repr(rows)
    kept = await store.accounts.get(MINE, "user_1")
    assert kept is not None
    assert kept.totp_secret == "JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize("text", ["'; DROP TABLE users; --", "{{7*7}}", "%_\\", "\x00", "\ud800", "x" * 10_000])
async def test_any_text_finds_nobody_or_is_refused(store: Store, text: str) -> None:
    await save(store, an_account(email=EMAIL))
    try:
        assert await store.accounts.by_login(text) is None
        assert list(await store.accounts.enrolled(text)) == []
        assert await store.log_ins.get(text, text) is None
        assert await store.service_tokens.by_hash(text) is None
    except CuadrillaError as refusal:
        assert isinstance(refusal, Invalid)  # noqa: PT017 - either answer will do

"""PostgreSQL keeps tenants apart by itself: whatever a statement forgets, it finds and writes its own tenant's rows only."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors, sql

import adapters.sql
from adapters.sql import SqlStore, downgrade, migrate, pending, upgrade
from adapters.sql.database import Database
from adapters.sql.row_security import ALL, NOBODY, ROLE, SETTING, TENANT_COLUMNS, Scope
from adapters.sql.tables import jobs, metadata, outbox
from core.identity import Account, Origin, ServiceToken, Session, SessionRules, Tenant, User
from core.identity.model import RefreshToken
from core.invoicing.ports import Exchange
from core.kernel.actor import Actor
from core.kernel.errors import Invalid, Unavailable
from core.notifications import Preferences
from core.offline import Item, Outcome
from core.tracking import Fix, Point, Recorded
from tests import servers
from tests.adapters.sql_bench import stores
from tests.contracts.samples import (
    ACTOR,
    MINE,
    NOW,
    OTHER,
    a_batch,
    a_customer,
    a_delivery,
    a_device,
    a_job,
    a_message,
    a_session,
    acting_for,
    an_invoice,
    an_issuer,
)

HERE: Final = Origin("corr_1", ip="203.0.113.7", agent="Firefox")
WALLED: Final = sorted(TENANT_COLUMNS)
READS_ALL: Final = {
    "deliveries": {"due"},  # periodic, for everybody
    "directory": {"bearer", "tenants"},  # whose token it is, is the question; an operator's list
    "history": {"add", "prune"},  # positions of several tenants are written together; periodic
    "idempotency": {"tidy"},  # keys whose life is over, whoever's
    "identity": {"by_login", "enrolled", "by_hash"},  # whoever logs in says no tenant
    "invoices": {"unanswered"},  # periodic, for everybody
    "jobs": {"starting"},  # reminders: periodic, for everybody
    "messages": {"receive", "forgotten"},  # one delivery to several numbers; periodic
    "outbox": {"unsent", "overdue", "finish", "get"},  # the relay, and the reactor's look at a message that is an id
    "sealing": {"_turn", "_pages"},  # keys are changed for everybody
    "secrets": {"all"},  # whose webhook it is, is the question
    "sessions": {"by_token", "overdue"},  # a customer's link says no tenant; periodic, for everybody
}
"""The methods that may see all tenants' rows: a new one has to be argued for."""


@pytest.fixture
def url(postgres_url: str) -> str:
    """Give a migrated database."""
    upgrade(postgres_url)
    return postgres_url


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    """Give a store in which two tenants have one of everything."""
    async with stores(url) as (made,):
        for tenant in (MINE, OTHER):
            await fill(made, tenant)
        yield made


async def fill(store: SqlStore, tenant: str) -> None:
    """Store one of everything for a tenant."""
    user = User(id="user_1", tenant=tenant, name="Ana", role="owner", token_hash=f"token of {tenant}")
    await store.directory.enrol(Tenant(id=tenant, name=tenant), [user])
    await store.inbox.receive([a_message(tenant=tenant, id=f"msg_{tenant}")])
    await store.issuers.put(an_issuer(tenant=tenant))
    exchange = Exchange(subject="inv_1", operation="FECAESolicitar", at=NOW, request="<a/>", response="<b/>")
    await store.trail.add(tenant, exchange)
    phone = "+5491155550001" if tenant == MINE else "+5491155550002"
    account = Account.registered(user_id="user_1", tenant=tenant, at=NOW, origin=HERE, founded=True, phone=phone)
    refresh = RefreshToken(tenant, "session_1", "family", "secret")
    opened = Session.opened(token=refresh, user=user, method="otp", at=NOW, origin=HERE, rules=SessionRules())
    machine = ServiceToken.made(
        id_="machine_1",
        tenant=tenant,
        label="n8n",
        scopes=frozenset({"jobs.read"}),
        token_hash=f"machine of {tenant}",
        by="user_1",
        at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    fix = Fix(point=Point(-34.6, -58.4), recorded_at=NOW, received_at=NOW)
    await store.history.add([Recorded(tenant=tenant, session_id="trip_1", job_id="job_1", phone="", fix=fix)])
    async with store.begin(acting_for(tenant)) as tx:
        await tx.customers.save(a_customer(tenant=tenant, identities=("whatsapp:1",)))
        await tx.jobs.save(a_job(tenant=tenant))
        await tx.messages.save(a_batch(tenant=tenant))
        await tx.sessions.save(a_session(tenant=tenant, token_hash=f"link of {tenant}"))
        await tx.invoices.save(an_invoice(tenant=tenant))
        await tx.deliveries.save(a_delivery(tenant=tenant))
        await tx.preferences.save(Preferences(tenant=tenant, id="user_1"))
        await tx.devices.save(a_device(tenant=tenant))
        await tx.accounts.save(account)
        await tx.log_ins.save(opened)
        await tx.service_tokens.save(machine)
        await tx.credentials.put(tenant, "afip", {"a": "b"}, label="", at=NOW)
        await tx.phone_records.save(
            Item(tenant=tenant, kind="line_items", id="li-1", job_id="job_1", place=0, values={})
        )
        outcome = Outcome(id="op-1", table="jobs", record="job_1", result="applied")
        await tx.operations.keep(tenant, "user_1", "f", outcome, at=NOW)
    reaction = Actor(
        tenant=tenant, id="r", role="service", correlation="corr_1", causation=f"fact_of_{tenant}", reaction="r"
    )
    await store.outbox.settle(reaction)
    hour = timedelta(hours=1)
    await store.idempotency.claim(tenant=tenant, scope="s", key="k", fingerprint="f", lease=hour, life=hour)


def plain(url: str) -> str:
    return url.replace("+asyncpg", "")


@contextlib.contextmanager
def acting(url: str, tenant: str | None = None, *, role: str = ROLE) -> Iterator[psycopg.Connection[Any]]:
    """Connect past the adapter, as the application's role."""
    with psycopg.connect(plain(url), options=f"-c role={role}", autocommit=True) as connection:
        if tenant is not None:
            connection.execute("SELECT set_config(%s, %s, false)", (SETTING, tenant))
        yield connection


def tenants_in(connection: psycopg.Connection[Any], table: str) -> set[str]:
    query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(TENANT_COLUMNS[table]), sql.Identifier(table))
    return {row[0] for row in connection.execute(query)}


# --- The wall itself ---------------------------------------------------------------------------------------------------


def test_every_table_that_says_whose_its_rows_are_has_the_wall(url: str) -> None:
    with psycopg.connect(plain(url)) as connection:
        found = connection.execute(
            """
            SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, array_agg(p.polname), bool_and(p.polpermissive),
                array_agg(p.polcmd), array_agg(pg_get_expr(p.polqual, c.oid)), array_agg(pg_get_expr(p.polwithcheck, c.oid))
            FROM pg_class c
            LEFT JOIN pg_policy p ON p.polrelid = c.oid
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
                AND (c.relname = 'tenants' OR EXISTS (
                    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant'))
            GROUP BY c.oid
            """
        ).fetchall()
    whose = "current_setting('cuadrilla.tenant'::text, true)"
    expected = []
    for table in WALLED:
        allowed = f"(({TENANT_COLUMNS[table]} = {whose}) OR ({whose} = '*'::text))"
        expected.append((table, True, True, ["tenant"], True, ["*"], [allowed], [allowed]))
    assert sorted(found) == expected


async def test_without_a_tenant_nothing_is_found_and_with_one_its_own_rows(store: SqlStore, url: str) -> None:
    for tenant, seen in ((None, set()), ("", set()), (MINE, {MINE}), (OTHER, {OTHER}), ("*", {MINE, OTHER})):
        with acting(url, tenant) as connection:
            assert {table: tenants_in(connection, table) for table in WALLED} == dict.fromkeys(WALLED, seen)


async def test_what_is_anothers_cannot_be_put_there(store: SqlStore, url: str) -> None:
    with psycopg.connect(plain(url), autocommit=True) as administrator:
        for table in WALLED:
            name, whose = sql.Identifier(table), sql.Identifier(TENANT_COLUMNS[table])
            taken = administrator.execute(
                sql.SQL("DELETE FROM {0} WHERE {1} = {2} RETURNING to_jsonb({0})").format(name, whose, OTHER)
            ).fetchall()
            insert = sql.SQL("INSERT INTO {0} SELECT (jsonb_populate_record(NULL::{0}, %s)).*").format(name)
            row = json.dumps(taken[0][0])
            with (
                acting(url, MINE) as connection,
                pytest.raises(errors.InsufficientPrivilege, match="row-level security"),
            ):
                connection.execute(insert, (row,))
            with acting(url, OTHER) as connection:
                assert connection.execute(insert, (row,)).rowcount == 1


async def test_what_is_anothers_is_not_changed_nor_given_away_nor_deleted(store: SqlStore, url: str) -> None:
    with psycopg.connect(plain(url), autocommit=True) as administrator:
        for table in WALLED:  # more than the role may, so that only the wall is left
            administrator.execute(f"GRANT UPDATE, DELETE ON {table} TO {ROLE}".encode())
    with acting(url, MINE) as connection:
        for table in WALLED:
            name, whose = sql.Identifier(table), sql.Identifier(TENANT_COLUMNS[table])
            with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
                connection.execute(sql.SQL("UPDATE {} SET {} = {}").format(name, whose, OTHER))
            for statement in ("UPDATE {0} SET {1} = {1} WHERE {1} = {2}", "DELETE FROM {0} WHERE {1} = {2}"):
                assert connection.execute(sql.SQL(statement).format(name, whose, OTHER)).rowcount == 0


async def test_a_statement_that_forgets_the_tenant_finds_its_own_rows(store: SqlStore) -> None:
    for table in map(metadata.tables.__getitem__, WALLED):
        whose = sa.select(table.c[TENANT_COLUMNS[table.name]])
        assert {row[0] for row in await store._database.rows(whose, tenant=MINE)} == {MINE}
        assert await store._database.rows(whose, tenant=NOBODY) == []
        async with store._database.transaction(tenant=OTHER) as connection:
            assert {row[0] for row in await connection.run(whose)} == {OTHER}


async def test_a_transaction_of_one_tenant_neither_reads_nor_writes_what_is_anothers(store: SqlStore) -> None:
    async with store.begin(ACTOR) as tx:
        found = await tx.accounts.by_login("phone:+5491155550002")
    assert found is None
    for table in ("jobs", "outbox"):
        with pytest.raises(RuntimeError, match=f'row-level security policy for table "{table}"'):
            await (put_a_job if table == "jobs" else tell_a_fact)(store)


async def put_a_job(store: SqlStore) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.jobs.save(a_job("job_2", tenant=OTHER))


async def tell_a_fact(store: SqlStore) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(*a_job("job_2", tenant=OTHER).facts)


async def test_the_facts_can_be_added_to_and_nothing_else(store: SqlStore, url: str) -> None:
    with acting(url, "*") as connection:
        for statement in (
            "DELETE FROM outbox",
            "TRUNCATE outbox",
            "UPDATE outbox SET payload = '{}'",
            "UPDATE outbox SET actor = 'somebody'",
            "DROP TABLE outbox",
            "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY",
            "DELETE FROM jobs",
            "UPDATE inbox SET text = ''",
            "UPDATE alembic_version SET version_num = '0001'",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        assert connection.execute("UPDATE outbox SET sent_at = now(), done_at = now()").rowcount > 0


def test_only_statements_that_were_argued_for_see_all_tenants() -> None:
    found: dict[str, set[str]] = {}
    for file in Path(adapters.sql.__file__).parent.glob("*.py"):
        if file.stem in {"row_security", "migrate"}:  # what defines it, and what migrates everybody
            continue
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                isinstance(node, ast.Name) and node.id in {"ALL", "Whole"} and isinstance(node.ctx, ast.Load)
                for statement in function.body
                for node in ast.walk(statement)
            ):
                found.setdefault(file.stem, set()).add(function.name)
    assert found == READS_ALL


# --- Connections --------------------------------------------------------------------------------------------------------


def whose_jobs() -> sa.Executable:
    return sa.select(sa.func.current_setting(SETTING), jobs.c.tenant)


async def test_reads_of_many_tenants_over_few_connections_each_see_their_own(url: str) -> None:
    tenants = [f"tenant_{number}" for number in range(5)]
    database = Database(url, pool_size=6)  # of which three are kept for single statements
    async with stores(url) as (store,):
        for tenant in tenants:
            async with store.begin(acting_for(tenant)) as tx:
                await tx.jobs.save(a_job(tenant=tenant))
    chance = random.Random(7)

    async def one(kind: str, tenant: str) -> None:
        scope: Scope = ALL if kind == "all" else NOBODY if kind == "nobody" else tenant
        seen = tenants if kind == "all" else [] if kind == "nobody" else [tenant]
        if kind == "transaction":
            async with database.transaction(tenant=scope) as connection:
                rows = await connection.run(whose_jobs())
        else:
            rows = await database.rows(whose_jobs(), tenant=scope)
        assert sorted(map(tuple, rows)) == [("*" if kind == "all" else tenant, each) for each in seen]

    async def caller() -> None:
        for _ in range(250):
            await one(chance.choice(["read", "read", "read", "transaction", "all", "nobody"]), chance.choice(tenants))

    await asyncio.gather(*(caller() for _ in range(8)))
    await everything_is_put_back(database)
    await database.close()


async def test_an_interrupted_statement_leaves_no_connection_with_a_tenant(url: str) -> None:
    database = Database(f"{url}?ssl=disable", pool_size=4)  # asyncpg complains when asking for TLS is interrupted
    slow = sa.select(sa.func.pg_sleep(0.002), sa.func.current_setting(SETTING).label("tenant"))
    chance, ended = random.Random(11), {"cancelled": 0, "done": 0}

    async def read(tenant: str) -> None:
        assert (await database.first(slow, tenant=tenant)).tenant == tenant

    async def write(tenant: str) -> None:
        async with database.transaction(tenant=tenant) as connection:
            assert (await connection.first(slow)).tenant == tenant

    for number in range(150):
        tasks = [asyncio.create_task(chance.choice([read, write])(f"tenant_{number}_{each}")) for each in range(4)]
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        await asyncio.sleep(chance.choice([0, 0.001, 0.003, 0.02]))
        for task in tasks[:2]:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            ended["done" if outcome is None else "cancelled"] += 1
    assert min(ended.values()) > 20
    await everything_is_put_back(database)
    await database.close()


async def test_a_statement_that_is_refused_leaves_no_connection_with_a_tenant(url: str) -> None:
    database = Database(url, pool_size=4)
    for number in range(8):
        with pytest.raises(Invalid):
            await database.rows(sa.text("SELECT 1 / 0"), tenant=f"tenant_{number}")
    await everything_is_put_back(database)
    await database.close()


async def everything_is_put_back(database: Database) -> None:
    """Assert that kept connections are what they say, and that the pool's are nobody's."""
    async with contextlib.AsyncExitStack() as stack:
        kept = [await connection.get_raw_connection() for connection in database._idle]
        for number in range(20 - len(kept)):
            if number < database._engine.pool.checkedin():  # type: ignore[attr-defined]
                pooled = await stack.enter_async_context(database._engine.connect())
                assert (await pooled.scalar(sa.func.current_setting(SETTING, True))) in {None, ""}
        for each in kept:
            driver: Any = each.driver_connection
            said = await driver.fetchval(f"SELECT current_setting('{SETTING}')")
            assert driver.stays_for(ALL if said == "*" else said)


async def test_a_tenants_next_read_takes_the_connection_that_is_set_for_it(url: str) -> None:
    database = Database(url, pool_size=4)
    both = [sa.text("SELECT pg_backend_pid(), pg_sleep(0.05)"), sa.text("SELECT pg_backend_pid()")]
    at_once = await asyncio.gather(*(database.first(both[0], tenant=tenant) for tenant in (MINE, OTHER)))
    pids = {MINE: at_once[0][0], OTHER: at_once[1][0]}
    assert len(set(pids.values())) == 2
    for tenant in (OTHER, MINE, MINE, OTHER, MINE, OTHER, OTHER):
        assert (await database.first(both[1], tenant=tenant))[0] == pids[tenant]
    await database.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tenant=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.sampled_from(["\\'", "'; --", "*"])
)
def test_no_text_breaks_out_of_the_setting_or_means_everybody(url: str, tenant: str) -> None:
    async def go() -> None:
        database = Database(url, pool_size=1)
        setting = sa.select(sa.func.current_setting(SETTING))
        seen = [(await database.first(setting, tenant=tenant))[0]]
        async with database.transaction(tenant=tenant) as connection:
            seen.append((await connection.first(setting))[0])
        assert seen == ["" if tenant == "*" else tenant] * 2
        await database.close()

    asyncio.run(go())


@pytest.mark.parametrize("tenant", ["a\0b", "\ud800"])
async def test_a_tenant_that_no_database_can_keep_is_refused(store: SqlStore, tenant: str) -> None:
    with pytest.raises(Invalid, match="no place"):
        await store._database.rows(whose_jobs(), tenant=tenant)
    with pytest.raises(Invalid, match="no place"):
        async with store.begin(evolve(ACTOR, tenant=tenant)):
            pass
    assert [job.tenant for job in (await store.jobs.get(MINE, "job_1"),)] == [MINE]


# --- Who connects, and who migrates -------------------------------------------------------------------------------------


async def test_an_examination_says_what_keeps_tenants_from_being_kept_apart(store: SqlStore, url: str) -> None:
    assert await store.examined() == "answers as cuadrilla_app; its user is a superuser, which it need not be"
    with psycopg.connect(plain(url), autocommit=True) as administrator:
        administrator.execute("ALTER TABLE jobs NO FORCE ROW LEVEL SECURITY")
        with pytest.raises(Unavailable, match="nothing keeps tenants apart in jobs"):
            await store.examined()
        administrator.execute("ALTER TABLE jobs FORCE ROW LEVEL SECURITY")
        administrator.execute("ALTER TABLE jobs OWNER TO cuadrilla_app")
        with pytest.raises(Unavailable, match="owns jobs"):
            await store.examined()
        administrator.execute("ALTER TABLE jobs OWNER TO postgres")
    await store.examined()


async def test_a_database_of_an_older_release_lacks_a_migration(url: str) -> None:
    downgrade(url, revision="0003")
    with psycopg.connect(plain(url)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_policy").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relrowsecurity").fetchone() == (0,)
    async with stores(url) as (store,):
        with pytest.raises(Unavailable, match="lacks a migration"):
            await store.examined()
        with pytest.raises(Unavailable, match="lacks a migration"):
            await store.jobs.get(MINE, "job_1")


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """Give a server whose roles are this module's to make and drop."""
    server = servers.start("postgres", environ={"PATH": ""})
    try:
        yield server.url
    finally:
        server.end()


@contextlib.contextmanager
def owned_database(server: str, *rights: str) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """Give the URL of a new database as its owner, who has these rights and no more, and an administrator's connection."""
    name = f"owner_{uuid.uuid4().hex}"
    with servers.fresh_database(server) as url, psycopg.connect(plain(url), autocommit=True) as administrator:
        database = url.rpartition("/")[2]
        administrator.execute(f"CREATE ROLE {name} LOGIN {' '.join(rights)}".encode())
        administrator.execute(f"ALTER DATABASE {database} OWNER TO {name}".encode())
        try:
            yield url.replace("postgres@", f"{name}@"), administrator
        finally:
            administrator.execute(f"REASSIGN OWNED BY {name} TO postgres".encode())
            administrator.execute(f"DROP OWNED BY {name}".encode())
            administrator.execute(f"ALTER DATABASE {database} OWNER TO postgres".encode())
            administrator.execute(f"DROP OWNED BY {ROLE}".encode() if has_role(administrator) else b"SELECT 1")
            administrator.execute(f"DROP ROLE IF EXISTS {ROLE}".encode())
            administrator.execute(f"DROP ROLE {name}".encode())


def has_role(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone() is not None


async def works(url: str) -> None:
    """Assert that the application works as that user, within the wall."""
    async with stores(url) as (store,):
        assert await store.examined() == "answers as cuadrilla_app"
        for tenant in (MINE, OTHER):
            await fill(store, tenant)
        assert (await store.jobs.get(MINE, "job_1")).tenant == MINE
        assert {row[1] for row in await store._database.rows(whose_jobs(), tenant=OTHER)} == {OTHER}


async def test_an_owner_who_may_make_roles_migrates_and_keeps_to_the_wall(own_server: str) -> None:
    with owned_database(own_server, "CREATEROLE") as (url, _):
        await asyncio.to_thread(upgrade, url)
        await works(url)
        with psycopg.connect(plain(url), autocommit=True) as owner:
            assert owner.execute(
                "SELECT session_user = tableowner FROM pg_tables WHERE tablename = 'jobs'"
            ).fetchone() == (True,)
            assert tenants_in(owner, "jobs") == set()
            owner.execute(f"SET {SETTING} = '{MINE}'".encode())
            assert tenants_in(owner, "jobs") == {MINE}
        seen: list[int] = []
        count = sa.select(sa.func.count()).select_from(outbox)
        migrate._run(url, lambda config: seen.append(config.attributes["connection"].scalar(count)))
        assert seen > [0]  # a migration of data sees what there is
        downgrade(url)
        upgrade(url)
        assert pending(url) == []


async def test_an_owner_who_may_not_make_roles_is_told_what_an_administrator_has_to_run(own_server: str) -> None:
    with owned_database(own_server) as (url, administrator):
        with pytest.raises(Unavailable, match="administrator run: ") as told:
            upgrade(url)
        statement = str(told.value).rpartition("run: ")[2]
        assert statement.startswith("CREATE ROLE cuadrilla_app NOLOGIN")
        assert pending(url)[0] == "0001"
        administrator.execute(statement.encode())
        await asyncio.to_thread(upgrade, url)
        await works(url)


async def test_an_owner_who_may_not_act_as_the_role_is_told_too(own_server: str) -> None:
    with owned_database(own_server, "CREATEROLE") as (url, administrator):
        administrator.execute(f"CREATE ROLE {ROLE} NOLOGIN".encode())
        with pytest.raises(Unavailable, match="administrator run: ") as told:
            upgrade(url)
        statement = str(told.value).rpartition("run: ")[2]
        assert statement.startswith("GRANT cuadrilla_app TO")
        administrator.execute(statement.encode())
        await asyncio.to_thread(upgrade, url)
        await works(url)


async def test_a_user_that_owns_nothing_is_enough_for_the_application(own_server: str) -> None:
    with owned_database(own_server, "CREATEROLE") as (owner_url, administrator):
        await asyncio.to_thread(upgrade, owner_url)
        name = f"user_{uuid.uuid4().hex}"
        url = owner_url.replace(owner_url.partition("//")[2].partition("@")[0], name)
        administrator.execute(f"CREATE ROLE {name} LOGIN".encode())
        try:
            async with stores(url) as (store,):
                with pytest.raises(Unavailable, match="does not let us in: permission denied to set role"):
                    await store.ping()
            administrator.execute(f"GRANT {ROLE} TO {name}".encode())
            await works(url)
            assert pending(url) == []
        finally:
            administrator.execute(f"DROP ROLE {name}".encode())


async def test_a_role_that_passes_by_the_wall_is_found_out(own_server: str) -> None:
    with owned_database(own_server, "CREATEROLE") as (url, administrator):
        await asyncio.to_thread(upgrade, url)
        async with stores(url) as (store,):
            await store.examined()
            for right in ("BYPASSRLS", "SUPERUSER"):
                administrator.execute(f"ALTER ROLE {ROLE} {right}".encode())
                with pytest.raises(Unavailable, match="passes by row-level security"):
                    await store.examined()
                administrator.execute(f"ALTER ROLE {ROLE} NO{right}".encode())


async def test_two_migrations_that_make_the_role_at_once_both_go_on(own_server: str) -> None:
    make_role = ScriptDirectory(str(migrate.SCRIPTS)).get_revision("0004").module.MAKE_ROLE.encode()
    waiting = b"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with contextlib.ExitStack() as stack:
        watching, first, second = (
            stack.enter_context(psycopg.connect(plain(own_server), autocommit=each)) for each in (True, False, False)
        )
        assert not has_role(watching)
        first.execute(make_role)
        other = asyncio.create_task(asyncio.to_thread(second.execute, make_role))
        while watching.execute(waiting).fetchone() == (0,):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        first.commit()
        await other
        second.commit()
        assert has_role(watching)
        watching.execute(f"DROP ROLE {ROLE}".encode())

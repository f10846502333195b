"""The feed from which phones are brought up to date, and what they bring.

Triggers on jobs and customers give each change its place in the feed, so that no writer can forget to. On PostgreSQL they run as the
transaction commits: the tenant's feed is locked for no longer than the commit takes, and after every other lock. A migration that makes
`jobs` or `customers` anew on SQLite (`batch_alter_table`) has to make their triggers anew.
"""

# ruff: noqa: S608 - triggers are put together from names of this file alone
from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.sql.row_security import ROLE, walled

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TABLES = ("offline_feeds", "offline_changes", "offline_items", "offline_operations")
STAMPED = {
    "jobs": (
        "status",
        "customer_id",
        "technician_id",
        "title",
        "wish",
        "place",
        "starts_at",
        "ends_at",
        "lines",
        "notes",
        "photos",
        "signature",
        "invoice_id",
        "currency",
    ),
    "customers": ("name", "phone", "vat_condition", "document_type", "document_number", "address"),
}

# A change takes three places: a technician's new customer stands before the job, and one that is lost on its own.
PLACE = """
CREATE FUNCTION cuadrilla_offline_place(whose text) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO offline_feeds (tenant, origin, seq) VALUES (whose, 1024 + floor(random() * 64512)::int, 4)
    ON CONFLICT (tenant) DO UPDATE SET seq = offline_feeds.seq + 3
    RETURNING seq
$$
"""
STAMPS = """
CREATE FUNCTION cuadrilla_offline_stamps(before jsonb, after jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        jsonb_object_agg(name, jsonb_build_array(after->'version', after->'changed_by', after->'changed_at')), '{}'
    )
    FROM jsonb_each(after) each(name, value)
    WHERE value IS DISTINCT FROM before->name AND name NOT IN ('version', 'changed_by', 'changed_at')
$$
"""
JOBS = """
CREATE FUNCTION cuadrilla_offline_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    stamped jsonb := '{}';
    lost text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        n := cuadrilla_offline_place(OLD.tenant);
        UPDATE offline_changes SET gone = true, seq = n
        WHERE tenant = OLD.tenant AND kind = 'jobs' AND record_id = OLD.id;
        lost := OLD.technician_id;
    ELSE
        IF TG_OP = 'UPDATE' THEN
            stamped := cuadrilla_offline_stamps(to_jsonb(OLD), to_jsonb(NEW));
        END IF;
        WITH placed AS (
            INSERT INTO offline_feeds (tenant, origin, seq) VALUES (NEW.tenant, 1024 + floor(random() * 64512)::int, 4)
            ON CONFLICT (tenant) DO UPDATE SET seq = offline_feeds.seq + 3
            RETURNING seq
        ), changed AS (
            INSERT INTO offline_changes (tenant, audience, kind, record_id, seq, gone, stamps)
            SELECT NEW.tenant, audience, 'jobs', NEW.id, seq, false, CASE WHEN audience = '' THEN stamped ELSE '{}' END
            FROM placed, unnest(ARRAY['', NEW.technician_id]) audience WHERE audience IS NOT NULL
            ON CONFLICT (tenant, audience, kind, record_id)
            DO UPDATE SET seq = excluded.seq, gone = false, stamps = offline_changes.stamps || excluded.stamps
        )
        SELECT seq INTO n FROM placed;
        IF NEW.technician_id IS NOT NULL AND (TG_OP = 'INSERT' OR stamped ?| ARRAY['technician_id', 'customer_id']) THEN
            INSERT INTO offline_changes (tenant, audience, kind, record_id, seq, gone, stamps)
            VALUES (NEW.tenant, NEW.technician_id, 'customers', NEW.customer_id, n - 2, false, '{}')
            ON CONFLICT (tenant, audience, kind, record_id) DO UPDATE SET seq = n - 2, gone = false;
        END IF;
        IF TG_OP = 'UPDATE' AND OLD.technician_id IS DISTINCT FROM NEW.technician_id THEN
            lost := OLD.technician_id;
        END IF;
    END IF;
    IF lost IS NOT NULL THEN
        UPDATE offline_changes SET gone = true, seq = n
        WHERE tenant = OLD.tenant AND audience = lost AND kind = 'jobs' AND record_id = OLD.id;
        UPDATE offline_changes SET gone = true, seq = n - 1
        WHERE tenant = OLD.tenant AND audience = lost AND kind = 'customers' AND record_id = OLD.customer_id
            AND NOT EXISTS (
                SELECT FROM jobs
                WHERE tenant = OLD.tenant AND technician_id = lost AND customer_id = OLD.customer_id
            );
    END IF;
    RETURN NULL;
END
$$
"""
CUSTOMERS = """
CREATE FUNCTION cuadrilla_offline_customer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    n bigint := cuadrilla_offline_place(CASE WHEN TG_OP = 'DELETE' THEN OLD.tenant ELSE NEW.tenant END);
    stamped jsonb := '{}';
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE offline_changes SET gone = true, seq = n
        WHERE tenant = OLD.tenant AND kind = 'customers' AND record_id = OLD.id;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        stamped := cuadrilla_offline_stamps(to_jsonb(OLD), to_jsonb(NEW));
    END IF;
    INSERT INTO offline_changes (tenant, audience, kind, record_id, seq, gone, stamps)
    SELECT NEW.tenant, audience, 'customers', NEW.id, n, false, CASE WHEN audience = '' THEN stamped ELSE '{}' END
    FROM (
        SELECT '' AS audience
        UNION
        SELECT technician_id FROM jobs
        WHERE tenant = NEW.tenant AND customer_id = NEW.id AND technician_id IS NOT NULL
    ) audiences
    ON CONFLICT (tenant, audience, kind, record_id)
    DO UPDATE SET seq = n, gone = false, stamps = offline_changes.stamps || excluded.stamps;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE CONSTRAINT TRIGGER cuadrilla_offline AFTER INSERT OR UPDATE OR DELETE ON {table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cuadrilla_offline_{function}()
"""
AGAIN = ("UPDATE jobs SET changed_by = changed_by", "UPDATE customers SET changed_by = changed_by")
"""Lets everything that is there into the feed; customers come to whoever has a job of theirs."""


def _sqlite_triggers() -> Iterator[str]:
    for table in STAMPED:
        for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            body = ";\n".join(_sqlite_body(table, event, row))
            yield f"CREATE TRIGGER offline_{table}_{event.lower()} AFTER {event} ON {table} BEGIN\n{body};\nEND"


def _sqlite_body(table: str, event: str, row: str) -> Iterator[str]:
    place = f"(SELECT seq FROM offline_feeds WHERE tenant = {row}.tenant)"
    key = "ON CONFLICT (tenant, audience, kind, record_id) DO UPDATE SET"
    into = "INSERT INTO offline_changes (tenant, audience, kind, record_id, seq, gone, stamps)"
    yield f"""INSERT INTO offline_feeds (tenant, origin, seq) VALUES ({row}.tenant, 1024 + abs(random() % 64512), 4)
        ON CONFLICT (tenant) DO UPDATE SET seq = seq + 3"""
    if event == "DELETE":
        yield f"""UPDATE offline_changes SET gone = 1, seq = {place}
            WHERE tenant = OLD.tenant AND kind = '{table}' AND record_id = OLD.id"""
        if table == "jobs":
            yield _sqlite_lost(place, "1")
        return
    stamped = "'{}'"
    if event == "UPDATE":
        names = " UNION ALL ".join(
            f"SELECT '{name}' AS name WHERE NEW.{name} IS NOT OLD.{name}" for name in STAMPED[table]
        )
        stamped = f"""(SELECT coalesce(json_group_object(
            name, json_array(NEW.version, NEW.changed_by, NEW.changed_at)), '{{}}') FROM ({names}))"""
    others = (
        "SELECT NEW.technician_id WHERE NEW.technician_id IS NOT NULL"
        if table == "jobs"
        else "SELECT technician_id FROM jobs WHERE tenant = NEW.tenant AND customer_id = NEW.id AND technician_id IS NOT NULL"
    )
    yield f"""{into} SELECT NEW.tenant, audience, '{table}', NEW.id, {place}, 0, iif(audience = '', {stamped}, '{{}}')
        FROM (SELECT '' AS audience UNION {others}) WHERE true
        {key} seq = excluded.seq, gone = 0, stamps = json_patch(stamps, excluded.stamps)"""
    if table != "jobs":
        return
    gained = "NEW.technician_id IS NOT NULL"
    if event == "UPDATE":
        gained += " AND (NEW.technician_id IS NOT OLD.technician_id OR NEW.customer_id IS NOT OLD.customer_id)"
    yield f"""{into} SELECT NEW.tenant, NEW.technician_id, 'customers', NEW.customer_id, {place} - 2, 0, '{{}}'
        WHERE {gained} {key} seq = excluded.seq, gone = 0"""
    if event == "UPDATE":
        moved = "OLD.technician_id IS NOT NEW.technician_id"
        yield f"""UPDATE offline_changes SET gone = 1, seq = {place} WHERE {moved} AND tenant = OLD.tenant
            AND audience = OLD.technician_id AND kind = 'jobs' AND record_id = OLD.id"""
        yield _sqlite_lost(place, moved)


def _sqlite_lost(place: str, condition: str) -> str:
    return f"""UPDATE offline_changes SET gone = 1, seq = {place} - 1 WHERE {condition} AND tenant = OLD.tenant
        AND audience = OLD.technician_id AND kind = 'customers' AND record_id = OLD.customer_id
        AND NOT EXISTS (
            SELECT 1 FROM jobs
            WHERE tenant = OLD.tenant AND technician_id = OLD.technician_id AND customer_id = OLD.customer_id
        )"""


def _tables() -> None:
    op.create_table(
        "offline_feeds",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_offline_feeds"),
    )
    op.create_table(
        "offline_changes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("stamps", JSON, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "audience", "kind", "record_id", name="pk_offline_changes"),
    )
    op.create_index("ix_offline_changes_feed", "offline_changes", ["tenant", "audience", "seq"])
    op.create_table(
        "offline_items",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("stamps", JSON, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "id", name="pk_offline_items"),
    )
    op.create_index("ix_offline_items_tenant_job_id", "offline_items", ["tenant", "job_id"])
    op.create_table(
        "offline_operations",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("outcome", JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "owner", "id", name="pk_offline_operations"),
    )


def upgrade() -> None:
    """Go forwards."""
    for table in STAMPED:
        op.add_column(table, sa.Column("changed_by", sa.Text()))
        op.add_column(table, sa.Column("changed_at", sa.DateTime(timezone=True)))
    _tables()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO {ROLE}")
            for statement in walled(table):
                op.execute(statement)
        for function in (PLACE, STAMPS, JOBS, CUSTOMERS):
            op.execute(function)
        for table, function in (("jobs", "job"), ("customers", "customer")):
            op.execute(TRIGGER.format(table=table, function=function))
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a later migration could not alter a table with work waiting
    else:
        for trigger in _sqlite_triggers():
            op.execute(trigger)
    for statement in AGAIN:
        op.execute(statement)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET CONSTRAINTS ALL DEFERRED")


def downgrade() -> None:
    """Go back; phones have to start again afterwards."""
    if op.get_bind().dialect.name == "postgresql":
        for table in STAMPED:
            op.execute(f"DROP TRIGGER cuadrilla_offline ON {table}")
        for function in ("job()", "customer()", "stamps(jsonb, jsonb)", "place(text)"):
            op.execute(f"DROP FUNCTION cuadrilla_offline_{function}")
    else:
        for table in STAMPED:
            for event in ("insert", "update", "delete"):
                op.execute(f"DROP TRIGGER offline_{table}_{event}")
    for table in reversed(TABLES):
        op.drop_table(table)
    for table in STAMPED:
        for column in ("changed_at", "changed_by"):
            op.drop_column(table, column)

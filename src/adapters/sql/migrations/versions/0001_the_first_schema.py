"""The first schema: customers, jobs, messages, trips, invoices, deliveries, and the facts about them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TOLD = """
CREATE FUNCTION cuadrilla_outbox_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('cuadrilla_outbox', '');
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE TRIGGER cuadrilla_outbox_told AFTER INSERT ON outbox
FOR EACH STATEMENT EXECUTE FUNCTION cuadrilla_outbox_told()
"""

TABLES = (
    "batches",
    "credentials",
    "customer_identities",
    "customers",
    "deliveries",
    "inbox",
    "invoices",
    "issuers",
    "jobs",
    "leases",
    "outbox",
    "settlements",
    "tenants",
    "tickets",
    "tracking_sessions",
    "users",
)


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    """Go forwards."""
    op.create_table(
        "batches",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sender", JSON, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message_ids", JSON, nullable=False),
        sa.Column("lat", sa.Float()),
        sa.Column("lng", sa.Float()),
        sa.Column("understanding", JSON),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_batches"),
    )
    op.create_table(
        "credentials",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "purpose", name="pk_credentials"),
    )
    op.create_table(
        "customer_identities",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "identity", name="pk_customer_identities"),
    )
    op.create_table(
        "customers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("vat_condition", sa.Text(), nullable=False),
        sa.Column("document_type", sa.Text(), nullable=False),
        sa.Column("document_number", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("identities", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_customers"),
    )
    op.create_index("ix_customers_tenant_created_at", "customers", ["tenant", "created_at"])

    op.create_table(
        "deliveries",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("recipient", JSON, nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("link", sa.Text()),
        sa.Column("attachment", sa.Text()),
        sa.Column("job_id", sa.Text()),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_text", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_deliveries"),
        sa.UniqueConstraint("tenant", "key", name="uq_deliveries_key"),
    )
    op.create_index("ix_deliveries_tenant_created_at", "deliveries", ["tenant", "created_at"])
    op.create_index("ix_deliveries_tenant_job_id", "deliveries", ["tenant", "job_id"])
    op.create_index("ix_deliveries_tenant_provider_id", "deliveries", ["tenant", "provider_id"])

    op.create_table(
        "inbox",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("sender", JSON, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lat", sa.Float()),
        sa.Column("lng", sa.Float()),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("raw", JSON, nullable=False),
        sa.Column("batch_id", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_inbox"),
        sa.UniqueConstraint("id", name="uq_inbox_id"),
        sa.UniqueConstraint("tenant", "source", "event_id", name="uq_inbox_tenant_source_event_id"),
    )
    op.create_index("ix_inbox_batch", "inbox", ["tenant", "batch_id"])
    op.create_index(
        "ix_inbox_waiting", "inbox", ["tenant", "thread", "seq"], **_where("batch_id IS NULL AND kind <> 'status'")
    )

    op.create_table(
        "invoices",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cuit", sa.Text(), nullable=False),
        sa.Column("point_of_sale", sa.Integer(), nullable=False),
        sa.Column("voucher_type", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer()),
        sa.Column("issuer", JSON, nullable=False),
        sa.Column("receiver", JSON, nullable=False),
        sa.Column("lines", JSON, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("serviced_on", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date()),
        sa.Column("submitted_at", INSTANT),
        sa.Column("authorisation", JSON),
        sa.Column("errors", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_invoices"),
        sa.UniqueConstraint("tenant", "cuit", "point_of_sale", "voucher_type", "number", name="uq_invoices_number"),
        sa.UniqueConstraint("tenant", "job_id", name="uq_invoices_job"),
    )
    op.create_index("ix_invoices_tenant_created_at", "invoices", ["tenant", "created_at"])
    op.create_index(
        "uq_invoices_open_series",
        "invoices",
        ["tenant", "cuit", "point_of_sale", "voucher_type"],
        unique=True,
        **_where("state IN ('pending_cae', 'unknown')"),
    )

    op.create_table(
        "issuers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("profile", JSON, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_issuers"),
    )
    op.create_table(
        "jobs",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("technician_id", sa.Text()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("wish", JSON, nullable=False),
        sa.Column("place", JSON, nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("starts_at", INSTANT),
        sa.Column("ends_at", INSTANT),
        sa.Column("lines", JSON, nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("photos", JSON, nullable=False),
        sa.Column("signature", JSON),
        sa.Column("invoice_id", sa.Text()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_tenant_created_at", "jobs", ["tenant", "created_at"])
    op.create_index("ix_jobs_tenant_customer_id_created_at", "jobs", ["tenant", "customer_id", "created_at"])
    op.create_index("ix_jobs_tenant_status_created_at", "jobs", ["tenant", "status", "created_at"])
    op.create_index("ix_jobs_tenant_technician_id_created_at", "jobs", ["tenant", "technician_id", "created_at"])

    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("causation", sa.Text()),
        sa.Column("job_id", sa.Text()),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.Column("done_at", INSTANT),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
    )
    op.create_index("ix_outbox_tenant_correlation", "outbox", ["tenant", "correlation"])
    op.create_index("ix_outbox_tenant_job_id", "outbox", ["tenant", "job_id"])
    op.create_index("ix_outbox_unfinished", "outbox", ["sent_at"], **_where("sent_at IS NOT NULL AND done_at IS NULL"))
    op.create_index("ix_outbox_unsent", "outbox", ["seq"], **_where("sent_at IS NULL"))

    op.create_table(
        "settlements",
        sa.Column("fact_id", sa.Text(), nullable=False),
        sa.Column("reaction", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("fact_id", "reaction", name="pk_settlements"),
    )
    op.create_index("ix_settlements_due", "settlements", ["due_at"], **_where("state = 'retrying'"))

    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_table(
        "tickets",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_tickets"),
    )
    op.create_table(
        "tracking_sessions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("technician_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lat", sa.Float()),
        sa.Column("lng", sa.Float()),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("arrived_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_tracking_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_tracking_sessions_token_hash"),
    )
    op.create_index(
        "ix_tracking_sessions_tenant_job_id_opened_at", "tracking_sessions", ["tenant", "job_id", "opened_at"]
    )
    op.create_index(
        "uq_tracking_sessions_open",
        "tracking_sessions",
        ["tenant", "job_id"],
        unique=True,
        **_where("state IN ('active', 'arrived')"),
    )

    op.create_table(
        "users",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("token_hash", sa.Text()),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_users"),
        sa.UniqueConstraint("token_hash", name="uq_users_token_hash"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(TOLD)
        op.execute(TRIGGER)


def downgrade() -> None:
    """Go back."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION cuadrilla_outbox_told()")

"""The schema. Tenant is part of every key; money is text inside JSON and never a float."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

from core.kernel.time import utc


class Instant(TypeDecorator[datetime]):
    """An aware instant in UTC; SQLite forgets the zone, so it is put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        return None if value is None else utc(value)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json: Final = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Serial: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _tenant() -> sa.Column[Any]:
    return sa.Column("tenant", sa.Text, primary_key=True)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Text, primary_key=True)


def _version() -> sa.Column[Any]:
    return sa.Column("version", sa.Integer, nullable=False)


def _authorship() -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return by whom and when a row was written last; `Writer` fills them in where a table has them."""
    return sa.Column("changed_by", sa.Text), sa.Column("changed_at", Instant)


tenants: Final = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("phone", sa.Text),
    sa.Column("zone", sa.Text, nullable=False),
)

users: Final = sa.Table(
    "users",
    metadata,
    _tenant(),
    _id(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("phone", sa.Text),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("token_hash", sa.Text, unique=True),
    # The default is for processes of the release before, which still write while this one is rolled out.
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Index(None, "phone"),
    sa.Index(
        "uq_users_active_phone",
        "tenant",
        "phone",
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    ),
)

credentials: Final = sa.Table(
    "credentials",
    metadata,
    _tenant(),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

customers: Final = sa.Table(
    "customers",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("phone", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("vat_condition", sa.Text, nullable=False),
    sa.Column("document_type", sa.Text, nullable=False),
    sa.Column("document_number", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("identities", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    *_authorship(),
    sa.Index(None, "tenant", "created_at"),
)

customer_identities: Final = sa.Table(
    "customer_identities",
    metadata,
    _tenant(),
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, nullable=False),
)

jobs: Final = sa.Table(
    "jobs",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("technician_id", sa.Text),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("wish", Json, nullable=False),
    sa.Column("place", Json, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("starts_at", Instant),
    sa.Column("ends_at", Instant),
    sa.Column("lines", Json, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("photos", Json, nullable=False),
    sa.Column("signature", Json),
    sa.Column("invoice_id", sa.Text),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    *_authorship(),
    sa.Index(None, "tenant", "created_at"),
    sa.Index(None, "tenant", "status", "created_at"),
    sa.Index(None, "tenant", "technician_id", "created_at"),
    sa.Index(None, "tenant", "customer_id", "created_at"),
    sa.Index(None, "status", "starts_at"),
)

inbox: Final = sa.Table(
    "inbox",
    metadata,
    sa.Column("seq", Serial, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("sender", Json, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("lat", sa.Float),
    sa.Column("lng", sa.Float),
    sa.Column("sent_at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("raw", Json, nullable=False),
    sa.Column("batch_id", sa.Text),
    sa.UniqueConstraint("tenant", "source", "event_id"),
    sa.Index("ix_inbox_batch", "tenant", "batch_id"),
    sa.Index(
        "ix_inbox_waiting",
        "tenant",
        "thread",
        "seq",
        postgresql_where=sa.text("batch_id IS NULL AND kind <> 'status'"),
        sqlite_where=sa.text("batch_id IS NULL AND kind <> 'status'"),
    ),
)

batches: Final = sa.Table(
    "batches",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("sender", Json, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message_ids", Json, nullable=False),
    sa.Column("lat", sa.Float),
    sa.Column("lng", sa.Float),
    sa.Column("understanding", Json),
    sa.Column("closed_at", Instant, nullable=False),
)

sessions: Final = sa.Table(
    "tracking_sessions",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("technician_id", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("lat", sa.Float),
    sa.Column("lng", sa.Float),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("arrived_at", Instant),
    sa.Index(None, "tenant", "job_id", "opened_at"),
    sa.Index(
        "uq_tracking_sessions_open",
        "tenant",
        "job_id",
        unique=True,
        postgresql_where=sa.text("state IN ('active', 'arrived')"),
        sqlite_where=sa.text("state IN ('active', 'arrived')"),
    ),
    sa.Index(
        "ix_tracking_sessions_open",
        "expires_at",
        postgresql_where=sa.text("state IN ('active', 'arrived')"),
        sqlite_where=sa.text("state IN ('active', 'arrived')"),
    ),
)

fixes: Final = sa.Table(
    "tracking_fixes",
    metadata,
    _tenant(),
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("phone", sa.Text, primary_key=True),
    sa.Column("recorded_at", Instant, primary_key=True),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("lat", sa.Float, nullable=False),
    sa.Column("lng", sa.Float, nullable=False),
    sa.Column("accuracy", sa.Float),
    sa.Column("speed", sa.Float),
    sa.Column("heading", sa.Float),
    sa.Column("remarks", sa.Text, nullable=False),
    sa.Index(None, "tenant", "job_id", "recorded_at"),
    sa.Index(None, "received_at"),
)

OPEN: Final = ("pending_cae", "unknown")
"""States in which an invoice holds its series."""

issuers: Final = sa.Table(
    "issuers",
    metadata,
    _tenant(),
    sa.Column("profile", Json, nullable=False),
)

invoices: Final = sa.Table(
    "invoices",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("job_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("cuit", sa.Text, nullable=False),
    sa.Column("point_of_sale", sa.Integer, nullable=False),
    sa.Column("voucher_type", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer),
    sa.Column("issuer", Json, nullable=False),
    sa.Column("receiver", Json, nullable=False),
    sa.Column("lines", Json, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("serviced_on", sa.Date, nullable=False),
    sa.Column("issued_on", sa.Date),
    sa.Column("submitted_at", Instant),
    sa.Column("authorisation", Json),
    sa.Column("errors", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    # Defaults are for processes of the release before, which still write while this one is rolled out.
    sa.Column("kind", sa.Text, nullable=False, server_default="invoice"),
    sa.Column("details", Json, nullable=False, server_default="{}"),
    sa.Column("corrects_id", sa.Text),
    sa.Column("batch", sa.Text),
    sa.Column("slot", sa.Integer, nullable=False, server_default="0"),
    sa.Column("look_at", Instant),
    sa.UniqueConstraint("tenant", "cuit", "point_of_sale", "voucher_type", "number", name="uq_invoices_number"),
    sa.Index(None, "tenant", "created_at"),
    sa.Index("ix_invoices_job", "tenant", "job_id"),
    sa.Index("ix_invoices_corrects", "tenant", "corrects_id"),
    sa.Index(
        "ix_invoices_look_at",
        "look_at",
        postgresql_where=sa.text("look_at IS NOT NULL"),
        sqlite_where=sa.text("look_at IS NOT NULL"),
    ),
    sa.Index(
        "uq_invoices_job",
        "tenant",
        "job_id",
        unique=True,
        postgresql_where=sa.text("kind = 'invoice'"),
        sqlite_where=sa.text("kind = 'invoice'"),
    ),
    sa.Index(
        "uq_invoices_open_series",
        "tenant",
        "cuit",
        "point_of_sale",
        "voucher_type",
        "slot",
        unique=True,
        postgresql_where=sa.text("state IN ('pending_cae', 'unknown')"),
        sqlite_where=sa.text("state IN ('pending_cae', 'unknown')"),
    ),
)

voucher_trail: Final = sa.Table(
    "voucher_trail",
    metadata,
    sa.Column("seq", Serial, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("response", sa.Text, nullable=False),
    sa.Column("failure", sa.Text, nullable=False),
    sa.Index(None, "tenant", "subject", "seq"),
)
"""What was said to AFIP and by it; nothing in it is changed or deleted."""

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("recipient", Json, nullable=False),
    sa.Column("parameters", Json, nullable=False),
    sa.Column("link", sa.Text),
    sa.Column("attachment", sa.Text),
    sa.Column("job_id", sa.Text),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("remaining", Json, nullable=False, server_default="[]"),
    sa.Column("language", sa.Text, nullable=False, server_default="es"),
    sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("waiting", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("due_at", Instant),
    sa.Column("digest_id", sa.Text),
    sa.Column("tickets", Json, nullable=False, server_default="[]"),
    sa.Column("history", Json, nullable=False, server_default="[]"),
    sa.Column("recipient_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("recipient_search", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("provider_id", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_text", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("tenant", "key", "channel", name="uq_deliveries_key"),
    sa.Index(None, "tenant", "created_at"),
    sa.Index(None, "tenant", "job_id"),
    sa.Index(None, "tenant", "provider_id"),
    sa.Index("ix_deliveries_recipient", "tenant", "recipient_id", "created_at"),
    sa.Index(
        "ix_deliveries_due",
        "due_at",
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    ),
)

preferences: Final = sa.Table(
    "preferences",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("channels", Json, nullable=False),
    sa.Column("muted", Json, nullable=False),
    sa.Column("quiet", sa.Boolean, nullable=False),
    sa.Column("starts", sa.Time, nullable=False),
    sa.Column("ends", sa.Time, nullable=False),
    sa.Column("zone", sa.Text),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("digest", sa.Boolean, nullable=False),
)

devices: Final = sa.Table(
    "devices",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("retired", sa.Text),
    sa.UniqueConstraint("tenant", "token", name="uq_devices_token"),
    sa.Index(None, "tenant", "user_id"),
)

outbox: Final = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", Serial, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("correlation", sa.Text, nullable=False),
    sa.Column("causation", sa.Text),
    sa.Column("job_id", sa.Text),
    sa.Column("payload", Json, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("done_at", Instant),
    sa.Index(
        "ix_outbox_unsent",
        "seq",
        postgresql_where=sa.text("sent_at IS NULL"),
        sqlite_where=sa.text("sent_at IS NULL"),
    ),
    sa.Index(
        "ix_outbox_unfinished",
        "sent_at",
        postgresql_where=sa.text("sent_at IS NOT NULL AND done_at IS NULL"),
        sqlite_where=sa.text("sent_at IS NOT NULL AND done_at IS NULL"),
    ),
    sa.Index(None, "tenant", "job_id"),
    sa.Index(None, "tenant", "correlation"),
    sa.Index(
        "ix_outbox_audit",
        "tenant",
        "seq",
        postgresql_where=sa.text("event_type LIKE 'identity.%'"),
        sqlite_where=sa.text("event_type LIKE 'identity.%'"),
    ),
)

settlements: Final = sa.Table(
    "settlements",
    metadata,
    sa.Column("fact_id", sa.Text, primary_key=True),
    sa.Column("reaction", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("error", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Index(
        "ix_settlements_due",
        "due_at",
        postgresql_where=sa.text("state = 'retrying'"),
        sqlite_where=sa.text("state = 'retrying'"),
    ),
)

tickets: Final = sa.Table(
    "tickets",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

idempotency_keys: Final = sa.Table(
    "idempotency_keys",
    metadata,
    _tenant(),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("claim", sa.Text, nullable=False),
    sa.Column("leased_until", Instant, nullable=False),
    sa.Column("effected", sa.Boolean, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("content_type", sa.Text),
    sa.Column("body", sa.LargeBinary),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index(None, "expires_at"),
)

offline_feeds: Final = sa.Table(
    "offline_feeds",
    metadata,
    _tenant(),
    sa.Column("origin", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
"""The last place in each tenant's feed; whoever takes one holds the row until the commit."""

offline_changes: Final = sa.Table(
    "offline_changes",
    metadata,
    _tenant(),
    sa.Column("audience", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False),
    sa.Column("stamps", Json, nullable=False),
    sa.Index("ix_offline_changes_feed", "tenant", "audience", "seq"),
)
"""Where each record stands in the feed of each audience. Triggers on jobs and customers write it."""

offline_items: Final = sa.Table(
    "offline_items",
    metadata,
    _tenant(),
    sa.Column("kind", sa.Text, primary_key=True),
    _id(),
    _version(),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("fields", Json, nullable=False),
    sa.Column("stamps", Json, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Index(None, "tenant", "job_id"),
)

offline_operations: Final = sa.Table(
    "offline_operations",
    metadata,
    _tenant(),
    sa.Column("owner", sa.Text, primary_key=True),
    _id(),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("outcome", Json, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
"""What became of each operation of a phone; a row decides that it is not applied again."""

accounts: Final = sa.Table(
    "accounts",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("password_hash", sa.Text),
    sa.Column("totp_sealed", sa.LargeBinary),
    sa.Column("totp_confirmed", sa.Boolean, nullable=False),
    sa.Column("totp_step", sa.BigInteger, nullable=False),
    sa.Column("recovery", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

logins: Final = sa.Table(
    "logins",
    metadata,
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
)
"""By what each account is found, in all tenants: whoever logs in says no tenant."""

log_ins: Final = sa.Table(
    "log_ins",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("ip", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("used_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("family_hash", sa.Text, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_because", sa.Text),
    sa.Index(
        "ix_log_ins_open",
        "tenant",
        "user_id",
        "used_at",
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    ),
)

service_tokens: Final = sa.Table(
    "service_tokens",
    metadata,
    _tenant(),
    _id(),
    _version(),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
)

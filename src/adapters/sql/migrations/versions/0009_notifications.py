"""Deliveries by several channels that wait, fall back and gather; what people chose, and the apps on their phones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.sql.row_security import ROLE, walled

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
INSTANT = sa.DateTime(timezone=True)
DUE: dict[str, Any] = {
    "postgresql_where": sa.text("due_at IS NOT NULL"),
    "sqlite_where": sa.text("due_at IS NOT NULL"),
}
NEW = ("remaining", "language", "urgent", "waiting", "due_at", "digest_id", "tickets", "history")
RECIPIENT = ("recipient_id", "recipient_search")
ACCENTS = dict(zip("áéíóúüñÁÉÍÓÚÜÑ", "aeiouunaeiouun", strict=True))
STALE = timedelta(days=1)
"""What has been under way for longer was given up by the release before, and is nothing that anybody wants to hear now."""


def upgrade() -> None:
    """Go forwards; what is under way and not stale is due at once.

    The new columns keep their defaults: the release before goes on inserting while the new one starts.
    """
    with op.batch_alter_table("deliveries") as table:
        table.drop_constraint("uq_deliveries_key", type_="unique")
        table.create_unique_constraint("uq_deliveries_key", ["tenant", "key", "channel"])
        table.add_column(sa.Column("remaining", JSON, nullable=False, server_default="[]"))
        table.add_column(sa.Column("language", sa.Text(), nullable=False, server_default="es"))
        table.add_column(sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("waiting", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("due_at", INSTANT))
        table.add_column(sa.Column("digest_id", sa.Text()))
        table.add_column(sa.Column("tickets", JSON, nullable=False, server_default="[]"))
        table.add_column(sa.Column("history", JSON, nullable=False, server_default="[]"))
        table.add_column(sa.Column("recipient_id", sa.Text(), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("recipient_search", sa.Text(), nullable=False, server_default=sa.text("''")))
    of = "(recipient ->> '{}')" if op.get_bind().dialect.name == "postgresql" else "json_extract(recipient, '$.{}')"
    search = f"{of.format('name')} || ' ' || {of.format('address')}"
    for letter, plain in ACCENTS.items():
        search = f"replace({search}, '{letter}', '{plain}')"
    under_way = sa.text(
        f"UPDATE deliveries SET recipient_id = {of.format('id')}, recipient_search = lower({search}), "  # noqa: S608 - our own words
        "due_at = CASE WHEN state IN ('queued', 'sending') AND updated_at > :stale THEN updated_at END"
    )
    op.execute(under_way.bindparams(sa.bindparam("stale", datetime.now(UTC) - STALE, type_=INSTANT)))
    op.create_index("ix_deliveries_recipient", "deliveries", ["tenant", "recipient_id", "created_at"])
    op.create_index("ix_deliveries_due", "deliveries", ["due_at"], **DUE)
    op.add_column("customers", sa.Column("email", sa.Text()))

    op.create_table(
        "preferences",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("channels", JSON, nullable=False),
        sa.Column("muted", JSON, nullable=False),
        sa.Column("quiet", sa.Boolean(), nullable=False),
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("zone", sa.Text()),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_preferences"),
    )
    op.create_table(
        "devices",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("retired", sa.Text()),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_devices"),
        sa.UniqueConstraint("tenant", "token", name="uq_devices_token"),
    )
    op.create_index("ix_devices_tenant_user_id", "devices", ["tenant", "user_id"])
    if op.get_bind().dialect.name == "postgresql":
        for name in ("preferences", "devices"):
            op.execute(f"GRANT SELECT, INSERT, UPDATE ON {name} TO {ROLE}")
            for statement in walled(name):
                op.execute(statement)


def downgrade() -> None:
    """Go back; a reason that has deliveries by several channels stands in the way of it."""
    op.drop_table("devices")
    op.drop_table("preferences")
    with op.batch_alter_table("customers") as table:
        table.drop_column("email")
    op.drop_index("ix_deliveries_due", "deliveries")
    op.drop_index("ix_deliveries_recipient", "deliveries")
    with op.batch_alter_table("deliveries") as table:
        table.drop_constraint("uq_deliveries_key", type_="unique")
        for column in (*NEW, *RECIPIENT):
            table.drop_column(column)
        table.create_unique_constraint("uq_deliveries_key", ["tenant", "key"])

"""Vouchers of which a request that was given up for lost may still arrive at AFIP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forwards."""
    op.add_column("invoices", sa.Column("look_at", sa.DateTime(timezone=True)))
    where = sa.text("look_at IS NOT NULL")
    op.create_index("ix_invoices_look_at", "invoices", ["look_at"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_invoices_look_at", "invoices")
    op.drop_column("invoices", "look_at")

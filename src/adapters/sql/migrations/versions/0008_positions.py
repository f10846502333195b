"""The history of positions, and trips whose time is over found by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import ROLE, walled

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPEN = "state IN ('active', 'arrived')"


def upgrade() -> None:
    """Go forwards."""
    op.create_table(
        "tracking_fixes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("accuracy", sa.Float()),
        sa.Column("speed", sa.Float()),
        sa.Column("heading", sa.Float()),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "session_id", "phone", "recorded_at", name="pk_tracking_fixes"),
    )
    op.create_index(
        "ix_tracking_fixes_tenant_job_id_recorded_at", "tracking_fixes", ["tenant", "job_id", "recorded_at"]
    )
    op.create_index("ix_tracking_fixes_received_at", "tracking_fixes", ["received_at"])
    op.create_index(
        "ix_tracking_sessions_open",
        "tracking_sessions",
        ["expires_at"],
        postgresql_where=sa.text(OPEN),
        sqlite_where=sa.text(OPEN),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"GRANT SELECT, INSERT, DELETE ON tracking_fixes TO {ROLE}")
        for statement in walled("tracking_fixes"):
            op.execute(statement)


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_tracking_sessions_open", "tracking_sessions")
    op.drop_table("tracking_fixes")

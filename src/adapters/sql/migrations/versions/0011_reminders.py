"""Visits by their start, whosever they are: those that people are reminded of."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forwards."""
    op.create_index("ix_jobs_status_starts_at", "jobs", ["status", "starts_at"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_jobs_status_starts_at", "jobs")

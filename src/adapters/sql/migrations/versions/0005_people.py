"""People who can be changed: their version, and one active person for each phone of a tenant; what is given back is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import ROLE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GIVEN_BACK = "logins, credentials"


def upgrade() -> None:
    """Go forwards."""
    op.add_column("users", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.create_index(
        "uq_users_active_phone",
        "users",
        ["tenant", "phone"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"GRANT DELETE ON {GIVEN_BACK} TO {ROLE}")


def downgrade() -> None:
    """Go back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"REVOKE DELETE ON {GIVEN_BACK} FROM {ROLE}")
    op.drop_index("uq_users_active_phone", "users")
    op.drop_column("users", "version")

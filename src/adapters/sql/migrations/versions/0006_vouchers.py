"""Notes beside invoices, several vouchers in one request, and what was said between AFIP and us."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.sql.row_security import ROLE, walled

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SERIES = ["tenant", "cuit", "point_of_sale", "voucher_type"]
OPEN = "state IN ('pending_cae', 'unknown')"


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    """Go forwards."""
    op.drop_index("uq_invoices_open_series", "invoices")
    with op.batch_alter_table("invoices") as table:
        table.drop_constraint("uq_invoices_job", type_="unique")
        table.alter_column("job_id", existing_type=sa.Text(), nullable=True)
        table.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="invoice"))
        table.add_column(sa.Column("details", JSON, nullable=False, server_default="{}"))
        table.add_column(sa.Column("corrects_id", sa.Text()))
        table.add_column(sa.Column("batch", sa.Text()))
        table.add_column(sa.Column("slot", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_invoices_job", "invoices", ["tenant", "job_id"])
    op.create_index("ix_invoices_corrects", "invoices", ["tenant", "corrects_id"])
    op.create_index("uq_invoices_job", "invoices", ["tenant", "job_id"], unique=True, **_where("kind = 'invoice'"))
    op.create_index("uq_invoices_open_series", "invoices", [*SERIES, "slot"], unique=True, **_where(OPEN))

    op.create_table(
        "voucher_trail",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_voucher_trail"),
    )
    op.create_index("ix_voucher_trail_tenant_subject_seq", "voucher_trail", ["tenant", "subject", "seq"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"GRANT SELECT, INSERT ON voucher_trail TO {ROLE}")
        op.execute(f"GRANT USAGE ON SEQUENCE voucher_trail_seq_seq TO {ROLE}")
        for statement in walled("voucher_trail"):
            op.execute(statement)


def downgrade() -> None:
    """Go back; notes have no place in the schema before, so they stand in the way of it."""
    op.drop_table("voucher_trail")
    for index in ("uq_invoices_open_series", "uq_invoices_job", "ix_invoices_corrects", "ix_invoices_job"):
        op.drop_index(index, "invoices")
    with op.batch_alter_table("invoices") as table:
        for column in ("slot", "batch", "corrects_id", "details", "kind"):
            table.drop_column(column)
        table.alter_column("job_id", existing_type=sa.Text(), nullable=False)
        table.create_unique_constraint("uq_invoices_job", ["tenant", "job_id"])
    op.create_index("uq_invoices_open_series", "invoices", SERIES, unique=True, **_where(OPEN))

"""PostgreSQL's own wall between tenants, and a role that may do no more than the application does. SQLite has neither."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import ProgrammingError

from adapters.sql.row_security import ROLE, unwalled, walled
from core.kernel.errors import Unavailable

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEPT = "SELECT, INSERT, UPDATE"
MAY = {
    "accounts": KEPT,
    "alembic_version": "SELECT",
    "batches": KEPT,
    "credentials": f"{KEPT}, DELETE",
    "customer_identities": "SELECT, INSERT, DELETE",
    "customers": KEPT,
    "deliveries": KEPT,
    "idempotency_keys": f"{KEPT}, DELETE",
    "inbox": "SELECT, INSERT, UPDATE (batch_id)",
    "invoices": KEPT,
    "issuers": KEPT,
    "jobs": KEPT,
    "leases": f"{KEPT}, DELETE",
    "log_ins": KEPT,
    "logins": "SELECT, INSERT, DELETE",
    "outbox": "SELECT, INSERT, UPDATE (sent_at, done_at)",
    "service_tokens": KEPT,
    "settlements": KEPT,
    "tenants": KEPT,
    "tickets": KEPT,
    "tracking_sessions": KEPT,
    "users": KEPT,
}
OF_NO_TENANT = {"alembic_version", "leases", "tickets"}
SEQUENCES = ("inbox_seq_seq", "outbox_seq_seq")

MAKE_ROLE = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
        CREATE ROLE {ROLE} NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles are the whole server's: the migration of another database was faster
END
$$
"""
NOT_PRIVILEGED = "42501"


def upgrade() -> None:
    """Go forwards."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    _make_role(connection)
    op.execute(f"GRANT USAGE ON SCHEMA {_schema(connection)} TO {ROLE}")
    for table, rights in MAY.items():
        op.execute(f"GRANT {rights} ON {table} TO {ROLE}")
        for statement in (
            () if table in OF_NO_TENANT else walled(table, column="id" if table == "tenants" else "tenant")
        ):
            op.execute(statement)
    for sequence in SEQUENCES:
        op.execute(f"GRANT USAGE ON SEQUENCE {sequence} TO {ROLE}")


def downgrade() -> None:
    """Go back; the role stays, because other databases of the server may use it."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in MAY:
        for statement in () if table in OF_NO_TENANT else unwalled(table):
            op.execute(statement)
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
    for sequence in SEQUENCES:
        op.execute(f"REVOKE ALL ON SEQUENCE {sequence} FROM {ROLE}")
    op.execute(f"REVOKE ALL ON SCHEMA {_schema(connection)} FROM {ROLE}")


def _make_role(connection: sa.Connection) -> None:
    """Make the role and let us act as it, as far as that is not so already."""
    user = connection.scalar(sa.text("SELECT quote_ident(current_user)"))
    wanted = f"CREATE ROLE {ROLE} NOLOGIN ROLE {user}"
    try:
        op.execute(MAKE_ROLE)
        wanted = f"GRANT {ROLE} TO {user}"
        if not connection.scalar(_may_act_as(connection)):
            op.execute(wanted)
    except ProgrammingError as failure:
        if getattr(failure.orig, "sqlstate", None) != NOT_PRIVILEGED:
            raise
        msg = f"{user} may not do this in the database; let an administrator run: {wanted}"
        raise Unavailable(msg) from failure


def _may_act_as(connection: sa.Connection) -> sa.Executable:
    since_16 = (connection.dialect.server_version_info or ()) >= (16,)
    right = "SET" if since_16 else "MEMBER"
    return sa.text(f"SELECT pg_has_role('{ROLE}', '{right}')")


def _schema(connection: sa.Connection) -> str:
    return str(connection.scalar(sa.text("SELECT quote_ident(current_schema())")))

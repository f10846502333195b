"""Everything durable, in SQLite or PostgreSQL: one schema, SQLAlchemy Core, migrations that run both ways."""

from adapters.sql.migrate import current, downgrade, pending, upgrade
from adapters.sql.sealing import SqlSealed, Turned
from adapters.sql.store import SqlStore

__all__ = ["SqlSealed", "SqlStore", "Turned", "current", "downgrade", "pending", "upgrade"]

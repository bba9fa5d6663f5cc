"""Run by Alembic, inside the transaction that the database hands over."""

from __future__ import annotations

from alembic import context

from pneumoscope.server.store.database import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()

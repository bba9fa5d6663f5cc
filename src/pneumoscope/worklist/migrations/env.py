"""Run by Alembic, inside the transaction that ``migrate.py`` hands over."""

from __future__ import annotations

from alembic import context

from pneumoscope.worklist.migrate import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()

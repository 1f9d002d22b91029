"""Alembic's entry point: migrations run inside the transaction that ``store.migrate`` began."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()

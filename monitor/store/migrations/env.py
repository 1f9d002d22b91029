"""Alembic's entry point: migrations run inside the transaction that ``store.migrate`` began."""

from alembic import context
from sqlmodel import SQLModel

import monitor.store.tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()

"""Alembic's entry point: runs on the connection Database.migrate hands over."""

from alembic import context

from lens_exporter.foundation.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

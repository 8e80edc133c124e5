"""Run by Alembic: the steps go through the caller's connection, inside its transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite can undo DDL once its driver does not commit behind our back (`store`).
    transactional_ddl=True,
)
context.run_migrations()

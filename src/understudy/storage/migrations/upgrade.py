"""The only module that imports Alembic."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config(connection: Connection, directory: str) -> Config:
    """Alembic's configuration for running the revisions in `directory` on `connection`."""
    made = Config()
    made.set_main_option("script_location", directory.replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection, directory: str) -> None:
    """Run all revisions that `connection`'s database lacks, in the connection's transaction."""
    command.upgrade(config(connection, directory), "head")

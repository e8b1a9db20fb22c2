"""Alembic's revisions, shipped with the program. See ../migrate.py."""

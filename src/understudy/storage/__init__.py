"""The database, its migrations, and the root secret."""

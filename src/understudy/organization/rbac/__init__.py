"""RBAC groups and their members, and the built-in roles."""

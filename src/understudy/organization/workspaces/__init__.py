"""Workspaces, and who is a member of one."""

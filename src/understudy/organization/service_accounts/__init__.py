"""Service accounts: whom workloads act as, and in which workspaces."""

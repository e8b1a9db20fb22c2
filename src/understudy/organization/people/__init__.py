"""Members of the organization, invites, and members of workspaces."""

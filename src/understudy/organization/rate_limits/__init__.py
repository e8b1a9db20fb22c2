"""The Rate Limits API: what limits the organization and its workspaces have, and setting those of workspaces."""

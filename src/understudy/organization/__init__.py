"""Organization, workspaces and API keys; implements `http`'s Authenticator."""

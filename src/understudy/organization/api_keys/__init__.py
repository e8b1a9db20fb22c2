"""API keys: of a workspace, of a user, of a service account; and admin keys."""

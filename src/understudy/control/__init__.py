"""Our own routes: health, readiness, metrics, and what lives under `/_understudy/`."""

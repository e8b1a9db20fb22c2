"""Rate limits: token buckets by organization, workspace and key, and the tiers that say how large they are."""

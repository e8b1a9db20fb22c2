"""The Files API: stored once, used by `file_id`."""

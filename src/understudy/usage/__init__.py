"""Usage rows, the request log and metrics; implements `http`'s RequestLog."""

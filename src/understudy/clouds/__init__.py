"""Other flavours of the Messages API: other requests in, the same pipe, other answers out."""

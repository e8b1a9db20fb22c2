"""Server tools: what is run here when a model asks for it."""

"""The Engine protocol, the catalog of models, and one module or folder an engine."""

"""Where every object is built and handed what it needs."""

from .application import Foundations, create_app, open_foundations

__all__ = ["Foundations", "create_app", "open_foundations"]

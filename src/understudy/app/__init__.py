"""Where every object is built and handed what it needs."""

from .application import Foundations, create_app, open_foundations
from .batches import make_batches
from .files import make_files

__all__ = ["Foundations", "create_app", "make_batches", "make_files", "open_foundations"]

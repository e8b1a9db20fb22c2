"""Signatures of thinking: made here, checked when they come back, and what becomes of blocks that may not be read."""

from .check import Checked, check, leave_out, no_transformations
from .seals import Seals
from .signer import PURPOSE, Signer

__all__ = ["PURPOSE", "Checked", "Seals", "Signer", "check", "leave_out", "no_transformations"]

"""How advice is sealed that the client cannot read."""

from __future__ import annotations

from typing import Final

PURPOSE: Final = "advice"
"""What `RootSecret.derive_all` is asked for."""

SEALED_AS: Final = "advisor_redacted_result"
"""What `encrypted_content` is sealed as."""

MOST_BYTES: Final = 1 << 20
"""Of advice: more than any model writes."""

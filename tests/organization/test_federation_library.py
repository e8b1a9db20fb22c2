"""Without the extra `federation` nothing is trusted, and who sets it up is told why."""

from __future__ import annotations

import pytest

from understudy.organization.federation import jwks
from understudy.wire.errors import InvalidRequestError


def test_without_the_library_no_issuer_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jwks.can_verify()
    real = jwks.importlib.util.find_spec
    monkeypatch.setattr(jwks.importlib.util, "find_spec", lambda name: None if name == "jwt" else real(name))
    assert not jwks.can_verify()
    with pytest.raises(InvalidRequestError, match="understudy\\[federation\\]"):
        jwks.check_jwks({"type": "inline", "keys": []}, "https://issuer.example", None)

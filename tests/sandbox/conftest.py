"""What tests of containers need."""

from __future__ import annotations

import os

import pytest

from bubblewrap import have_bubblewrap


@pytest.fixture(scope="session", autouse=True)
def bubblewrap() -> None:
    have_bubblewrap()


@pytest.fixture(params=["strict", "ordinary"])
def tier(request: pytest.FixtureRequest) -> str:
    if request.param == "strict" and os.geteuid() != 0:
        pytest.skip("the strict tier needs root")
    return request.param

"""What a server's process does not load."""

from __future__ import annotations

from installations import output_of, start_python

_SERVER = """
import sys
import understudy.cli
import understudy.cli.serve, understudy.cli.worker
names = {"rich", "alembic", "aiohttp", "redis", "asyncpg", "obstore", "jwt", "pypdfium2"}
print(sorted((names | {"sqlalchemy.dialects.postgresql"}) & set(sys.modules)))
import rich.console
"""


def test_a_server_loads_nothing_that_it_may_never_need() -> None:
    assert output_of(start_python(_SERVER)).strip() == "[]"

"""What a server's process does not load."""

from __future__ import annotations

from installations import output_of, start_python

_SERVER = """
import sys
import understudy.cli
from understudy.cli.lean import import_libraries_alone
import_libraries_alone()
import understudy.cli.serve, understudy.cli.worker
import understudy.app
names = {"rich", "alembic", "aiohttp", "redis", "asyncpg", "obstore", "jwt", "pypdfium2"}
names |= {"sqlalchemy.orm", "uvicorn.main", "click", "zstandard", "understudy.engines.openai_compatible"}
print(sorted((names | {"sqlalchemy.dialects.postgresql"}) & set(sys.modules)))
import rich.console
"""


_LEFT_OUT = """
from understudy.cli.lean import import_libraries_alone
import_libraries_alone()
import sys, uvicorn, sqlalchemy.ext.asyncio
print({"uvicorn.main", "sqlalchemy.orm"} & set(sys.modules))
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
print(AsyncSession.__module__, async_sessionmaker.__name__, sqlalchemy.ext.asyncio.AsyncSession is AsyncSession)
print(uvicorn.Server.__module__, uvicorn.run.__module__, callable(uvicorn.main))
print(hasattr(uvicorn, "nothing_of_the_kind"))
"""


def test_what_is_left_out_is_loaded_when_it_is_asked_for() -> None:
    assert output_of(start_python(_LEFT_OUT)).splitlines() == [
        "set()",
        "sqlalchemy.ext.asyncio.session async_sessionmaker True",
        "uvicorn.server uvicorn.main True",
        "False",
    ]


_LOADED_BEFORE = """
import uvicorn, sqlalchemy.ext.asyncio
before = dict(vars(uvicorn)), dict(vars(sqlalchemy.ext.asyncio))
from understudy.cli.lean import import_libraries_alone
import_libraries_alone()
print(before == (vars(uvicorn), vars(sqlalchemy.ext.asyncio)))
"""


def test_what_is_loaded_already_stays_as_it_is() -> None:
    assert output_of(start_python(_LOADED_BEFORE)).strip() == "True"


def test_a_server_loads_nothing_that_it_may_never_need() -> None:
    assert output_of(start_python(_SERVER)).strip() == "[]"

"""The same on an object store: nothing of a batch is on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from files.s3 import s3_server

from .api import batches_api


async def test_requests_and_results_are_kept_on_s3(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        async with batches_api(data_dir, s3.bucket()) as api:
            long = b'{"requests":[{"custom_id":"a","params":{"x":"' + b"y" * 12_000_000 + b'"}}]}'
            refused = await api.send(long.replace(b"}]}", b"}],}"))
            assert refused.status == 400
            assert await api.stored() == []
            answer = await api.send(long)
            assert answer.status == 200
            batch_id = answer.json()["id"]
            assert await api.stored() == [f"batches/wrkspc_a/{batch_id}/requests"]
            assert len((await api.lines(batch_id))[0]) == len(long) - len('{"requests":[]}')
            await api.end(batch_id, b"{}\n" * 3_000_000)
            assert (await api.ask("GET", f"/{batch_id}/results")).body == b"{}\n" * 3_000_000
            assert not (data_dir / "batches").exists()
            assert (await api.ask("DELETE", f"/{batch_id}")).status == 200
            assert await api.stored() == []

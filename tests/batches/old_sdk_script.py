"""Runs under anthropic 0.125, in an environment of its own: works with batches and prints what came back.

Usage: python old_sdk_script.py URL KEY
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import anthropic

URL, KEY = sys.argv[1:]
PARAMS = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}


def main() -> None:
    # Today's SDK, whose types are at hand here, has other ones.
    client: Any = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
    told: dict[str, Any] = {"version": anthropic.__version__}
    for name, batches in (("stable", client.messages.batches), ("beta", client.beta.messages.batches)):
        made = batches.create(requests=[{"custom_id": f"r{place}", "params": PARAMS} for place in range(3)])
        deadline = time.monotonic() + 30
        while (ended := batches.retrieve(made.id)).processing_status != "ended":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        results = {one.custom_id: one.result.type for one in batches.results(made.id)}
        try:
            batches.cancel(made.id)
            late = None
        except anthropic.APIStatusError as error:
            late = type(error).__name__
        told[name] = {
            "began": made.processing_status,
            "keys": list(made.to_dict(mode="json")),
            "counts": ended.request_counts.to_dict(),
            "results": results,
            "listed": made.id in [one.id for one in batches.list(limit=1)],
            "late": late,
            "deleted": batches.delete(made.id).type,
        }
    print(json.dumps(told))


main()

"""Runs under anthropic 0.125, in an environment of its own: works with files and prints what came back.

Usage: python old_sdk_script.py URL KEY
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic

URL, KEY = sys.argv[1:]


def main() -> None:
    # Today's SDK, whose types are at hand here, has other shapes.
    client: Any = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
    files = client.beta.files
    made = [files.upload(file=("notes.txt", f"Example data {number}".encode(), "text/plain")) for number in range(3)]
    listed = [file.id for file in files.list(limit=2)]
    try:
        files.retrieve_metadata("file_none")
        missing = None
    except anthropic.APIStatusError as error:
        missing = type(error).__name__
    told = {
        "version": anthropic.__version__,
        "uploaded": made[0].to_dict(mode="json"),
        "uploaded_keys": list(made[0].to_dict(mode="json")),
        "listed": listed,
        "expected": [file.id for file in reversed(made)],
        "content": files.download(made[2].id).read().decode(),
        "missing": missing,
        "deleted": files.delete(made[1].id).type,
    }
    print(json.dumps(told))


main()

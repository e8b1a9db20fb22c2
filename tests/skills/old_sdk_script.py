"""Runs under anthropic 0.125, in an environment of its own: works with skills and prints what came back.

Usage: python old_sdk_script.py URL KEY
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic

URL, KEY = sys.argv[1:]
MD = b"---\nname: my-skill\ndescription: Does a thing.\n---\n"
FILES: Any = [("my-skill/SKILL.md", MD, "text/markdown"), ("my-skill/run.py", b"print(1)", "text/x-python")]


def error_of(call: Any) -> str | None:
    try:
        call()
    except anthropic.APIStatusError as error:
        return f"{type(error).__name__}: {error.body['error']['message']}"  # type: ignore[index]
    return None


def main() -> None:
    # Today's SDK, whose types are at hand here, has other shapes.
    client: Any = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
    skills = client.beta.skills
    made = skills.create(display_title="My skill", files=FILES)
    second = skills.versions.create(made.id, files=FILES)
    listed = [skill.id for skill in skills.list(source="custom", limit=1)]
    told = {
        "version": anthropic.__version__,
        "made": made.to_dict(mode="json"),
        "second": second.to_dict(mode="json"),
        "latest": skills.retrieve(made.id).latest_version,
        "retrieved": skills.versions.retrieve(second.version, skill_id=made.id).to_dict(mode="json"),
        "listed": listed,
        "versions": [version.version for version in skills.versions.list(made.id, limit=1)],
        "twice": error_of(lambda: skills.create(display_title="My skill", files=FILES)),
        "too_early": error_of(lambda: skills.delete(made.id)),
        "by_id": error_of(lambda: skills.versions.retrieve(second.id, skill_id=made.id)),
        "bare": error_of(lambda: skills.create(files=[("SKILL.md", MD)])),
        "versions_deleted": [
            skills.versions.delete(version.version, skill_id=made.id).id for version in skills.versions.list(made.id)
        ],
        "deleted": skills.delete(made.id).type,
        "gone": error_of(lambda: skills.retrieve(made.id)),
    }
    print(json.dumps(told))


main()

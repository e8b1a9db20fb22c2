"""The examples of docs/simulator.md: every request is answered as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from asgi import InProcess

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)]
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))


def holds(answer: Any, shown: Any) -> bool:
    """Whether `answer` has all that is shown of it."""
    if isinstance(shown, dict):
        wanted = cast("dict[str, Any]", shown)
        return isinstance(answer, dict) and all(
            name in answer and holds(answer[name], value) for name, value in wanted.items()
        )
    if isinstance(shown, list):
        items = cast("list[Any]", shown)
        return isinstance(answer, list) and len(answer) == len(items) and all(map(holds, answer, items))
    return answer == shown


@pytest.mark.parametrize(("request_body", "shown"), EXAMPLES)
async def test_the_page_shows_what_is_answered(request_body: dict[str, Any], shown: dict[str, Any]) -> None:
    answer = await InProcess().post(request_body)
    assert answer.status == 200, answer.body
    assert holds(answer.json(), shown), answer.json()["content"]

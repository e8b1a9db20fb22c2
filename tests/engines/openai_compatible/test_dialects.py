"""What an operator says of a server stands instead of its dialect's row, if it can be said."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.engines.openai_compatible.dialects import DIALECTS, changed


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_without_options_a_dialect_stays_as_it_is(name: str) -> None:
    assert changed(DIALECTS[name], {}) == DIALECTS[name]


def test_single_points_are_changed_and_features_turned_off() -> None:
    options: dict[str, Any] = {"vision": True, "structured_outputs": False, "count_route": False, "page_images": 3}
    found = changed(DIALECTS["vllm"], {**options, "extra_body": {"seed": 1}})
    assert (found.vision, found.structured_outputs, found.count_route) == (True, None, None)
    assert (found.page_images, found.extra_body, found.prefill) == (3, {"seed": 1}, "continue_final_message")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"visions": True}, "visions: there is name, max_tokens_field"),
        ({"vision": "yes"}, "vision: Input should be a valid boolean"),
        ({"structured_outputs": True}, "structured_outputs: Input should be 'response_format' or 'format'"),
        ({"max_tokens_field": False}, "max_tokens_field: Input should be 'max_tokens' or 'max_completion_tokens'"),
        ({"page_images": "20"}, "page_images: Input should be a valid integer"),
    ],
)
def test_what_no_server_can_be_is_refused_by_name(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as raised:
        changed(DIALECTS["generic"], options)
    assert str(raised.value).startswith(told)

"""Somebody is refused by a limit, and finds out which."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from playwright.sync_api import expect

from .acting import SONNET, answer, run, write
from .site import Site

HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def refused(strict: Site) -> str:
    """The id of a request that the limit of a workspace refused."""
    workspace = strict.workspace("Narrow door")
    admin = anthropic.Anthropic(api_key=strict.server.admin_key, base_url=strict.server.url)
    (entry,) = admin.organization.rate_limits.list(model=SONNET).data
    admin.organization.workspaces.rate_limits.update(
        entry.id, workspace_id=workspace, limits=[{"type": "requests_per_minute", "value": 1}]
    )
    key = strict.key("Impatient", workspace_id=workspace)["raw_key"]
    client = anthropic.Anthropic(api_key=key, base_url=strict.server.url, max_retries=0)
    client.messages.create(model=SONNET, max_tokens=4, messages=HELLO)
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(model=SONNET, max_tokens=4, messages=HELLO)
    assert caught.value.request_id is not None
    return caught.value.request_id


def test_the_limits_page_and_the_log_tell_which_limit_refused_a_request(strict: Site, refused: str) -> None:
    with strict.visit("/limits") as page:
        expect(page.get_by_text("Enforced", exact=True)).to_be_visible()
        page.get_by_role("searchbox", name="Request id").fill(refused)
        row = page.get_by_role("table", name="Why was I limited?").get_by_role("row", name=refused)
        expect(row).to_contain_text("Refused")
        expect(row).to_contain_text("Requests a minute (workspace)")
        expect(row).to_contain_text("0 of 1")
        page.reload()
        row.get_by_role("link", name=refused).click()
        told = page.get_by_role("dialog", name="Request")
        expect(told.get_by_text("429 rate_limit_error")).to_be_visible()
        why = told.get_by_role("region", name="Why was it limited?")
        expect(why).to_contain_text("A limit refused this request.")
        expect(why).to_contain_text("Requests a minute (workspace)")
        expect(why).to_contain_text("0 of 1")
        expect(told).to_contain_text("Impatient")
        why.get_by_role("link", name="See the limits").click()
        bucket = page.get_by_role("progressbar", name="Requests a minute")
        expect(bucket.first).to_be_visible()


def test_the_workbench_tells_a_refusal_with_its_request(strict: Site, refused: str) -> None:
    with strict.visit("/workbench") as page:
        page.get_by_role("button", name="Switch workspace").click()
        page.get_by_role("menuitem", name="Narrow door").click()
        # The minute that the first request filled may be over meanwhile.
        for _ in range(2):
            write(page, "Reply with exactly: ok")
            run(page)
            expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
        told = answer(page).get_by_role("alert")
        expect(told).to_contain_text("requests per minute")
        expect(told).to_contain_text("req_")


def test_a_request_that_met_no_limit_says_so(strict: Site) -> None:
    with strict.visit("/limits?request_id=req_011CW0000000000000000000") as page:
        expect(page.get_by_text("That request came to no limit.")).to_be_visible()

"""Requests of batches whose model a Claude upstream serves: bytes pass through, as they do over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

from fake_claude import Talk, fake_claude
from installations import query
from understudy.engines.claude import ClaudeSettings, ClaudeUpstream
from understudy.engines.routing import Backend, Mapped, MappedTarget, Routing

from .making import asking
from .rig import ScriptedEngine, rig

MESSAGE = {
    "id": "msg_of_upstream",
    "type": "message",
    "role": "assistant",
    "model": "claude-upstream-9",
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": "of-upstream"}, {"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1_000_000, "output_tokens": 10, "service_tier": "standard", "new_field": 1},
}


def routing(url: str, *, spare: bool = False) -> tuple[Routing, ClaudeUpstream]:
    upstream = ClaudeUpstream("upstream", ClaudeSettings(url, "sk-upstream-secret"))
    backends = {"upstream": Backend(claude=upstream), "spare": Backend(ScriptedEngine())}
    targets = [MappedTarget("upstream", "claude-upstream-9")]
    if spare:
        targets.append(MappedTarget("spare", "model", weight=0))
    return Routing(None, mapped=[Mapped("claude-haiku-4-5", tuple(targets))], backends=backends), upstream


async def test_an_upstreams_answer_is_kept_as_it_is_at_half_the_price(tmp_path: Path) -> None:
    def say(talk: Talk) -> None:
        talk.whole(200, json.dumps(MESSAGE).encode())

    with fake_claude(say) as fake:
        to, upstream = routing(fake.url)
        async with rig(tmp_path, to) as made:
            batch_id = await made.make([asking(foo="bar")], betas=["output-300k-2026-03-24"])
            made.runner()
            (line,) = await made.ended(batch_id)
        await upstream.close()
    message = line["result"]["message"]
    assert message["content"] == MESSAGE["content"]
    assert (message["id"], message["model"]) == ("msg_of_upstream", "claude-haiku-4-5-20251001")
    assert message["usage"] == {**MESSAGE["usage"], "service_tier": "batch"}  # type: ignore[dict-item]
    sent = json.loads(fake.asked[0].body)
    assert sent == {**asking(foo="bar"), "model": "claude-upstream-9"}
    assert fake.asked[0].headers["anthropic-version"] == "2023-06-01"
    assert fake.asked[0].headers["anthropic-beta"] == "output-300k-2026-03-24"
    # A dollar for a million tokens, halved.
    rows = query(tmp_path, 'SELECT service_tier, input_cost FROM "usage"')
    assert rows == [("batch", 500_000_000)]


async def test_an_upstreams_refusal_is_an_errored_row_and_its_overload_is_tried_again(tmp_path: Path) -> None:
    def say(talk: Talk) -> None:
        text = json.loads(talk.asked.body)["messages"][0]["content"]
        kind, status = ("invalid_request_error", 400) if text == "bad" else ("overloaded_error", 529)
        if text == "busy" and len(fake.asked) > 2:
            talk.whole(200, json.dumps(MESSAGE).encode())
            return
        error = {"type": "error", "error": {"type": kind, "message": "of the upstream"}, "request_id": "req_up"}
        talk.whole(status, json.dumps(error).encode(), "retry-after: 7")

    with fake_claude(say) as fake:
        to, upstream = routing(fake.url)
        async with rig(tmp_path, to) as made:
            batch_id = await made.make([asking("bad"), asking("busy")])
            made.runner()
            assert await made.waits_until(batch_id, 1) == made.clock() + 7
            made.clock.now += 7
            lines = await made.ended(batch_id)
        await upstream.close()
    error = lines[0]["result"]["error"]["error"]
    assert (error["type"], error["message"]) == ("invalid_request_error", "of the upstream")
    assert lines[1]["result"]["type"] == "succeeded"


async def test_where_an_upstream_fails_the_next_target_answers(tmp_path: Path) -> None:
    def say(talk: Talk) -> None:
        talk.whole(500, b"broken")

    with fake_claude(say) as fake:
        to, upstream = routing(fake.url, spare=True)
        async with rig(tmp_path, to) as made:
            batch_id = await made.make([asking("one")])
            made.runner()
            (line,) = await made.ended(batch_id)
        await upstream.close()
    assert line["result"]["message"]["content"][0]["text"] == "Answer to one"

"""Nothing of the official SDK is missing here without being named, and the list that names it is true."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace

import httpx
import pytest

from servers import RunningServer
from surface import asking, official, ours, reviewed
from surface.compare import Gap, compare
from surface.official import Sdk
from surface.ours import Ours, template
from surface.shapes import Fields, Shape

ROWS = reviewed.read()


@pytest.fixture(scope="module")
def sdk() -> Sdk:
    return official.describe()


@pytest.fixture(scope="module")
def here() -> Ours:
    return ours.describe()


@pytest.fixture(scope="module")
def gaps(sdk: Sdk, here: Ours) -> list[Gap]:
    return compare(sdk, here)


def test_every_route_field_value_type_and_beta_of_the_sdk_is_here_or_reviewed(gaps: list[Gap]) -> None:
    assert [str(gap) for gap in reviewed.unreviewed(gaps, ROWS)] == []


def test_the_reviewed_list_names_nothing_that_is_settled(gaps: list[Gap]) -> None:
    asked = [row for row in ROWS if row.kind != "unsent"]
    assert reviewed.stale(gaps, asked) == []
    assert reviewed.twice(gaps, asked) == []


def test_every_route_that_is_not_built_answers_404_in_the_api_s_form(
    server: RunningServer, sdk: Sdk, here: Ours
) -> None:
    unbuilt = {(method.verb, method.path) for method in sdk.methods} - {
        (method.verb, method.path) for method in sdk.methods if (method.verb, template(method.path)) in here.routes
    }
    headers = {"x-api-key": server.api_key, "anthropic-version": "2026-10-21"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60) as client:
        for verb, path in sorted(unbuilt):
            answer = client.request(verb, path.replace("{", "").replace("}", ""))
            assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error"), f"{verb} {path}"


def test_what_answers_are_made_of_is_sent_or_reviewed(server: RunningServer, sdk: Sdk) -> None:
    seen: set[str] = set()
    headers = {"x-api-key": server.api_key, "anthropic-version": "2026-10-21", "anthropic-beta": asking.BETAS}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60) as client:
        for request in asking.REQUESTS:
            answer = client.post("/v1/messages", json={**request, "stream": True})
            assert answer.status_code == 200, answer.text
            lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
            seen.update(asking.parts(json.loads(line) for line in lines))
    unsent = asking.unsent(sdk, seen)
    rows = [row for row in ROWS if row.kind == "unsent"]
    assert [str(gap) for gap in reviewed.unreviewed(unsent, rows)] == []
    assert reviewed.stale(unsent, rows) == []
    assert reviewed.twice(unsent, rows) == []


def test_the_sdk_can_be_described_as_text_and_read_back(sdk: Sdk) -> None:
    assert official.load(json.dumps(asdict(sdk))) == sdk


# --- what would be new in another SDK is found: each of these changes stands for one that a release could bring ---


def changed(sdk: Sdk, name: str, **fields: object) -> Sdk:
    """`sdk` with other fields in the type `name`; None takes one away."""
    objects = copy.deepcopy(sdk.objects)
    for field, how in fields.items():
        if how is None:
            del objects[name][field]
        else:
            objects[name][field] = how  # type: ignore[assignment]
    return replace(sdk, objects=objects)


NEW: Fields = {"new": {"required": False, "shape": "string"}}


def reachable(sdk: Sdk, shape: Shape | list[Shape], found: set[str]) -> set[str]:
    """The object types in `shape`, and in their fields."""
    if isinstance(shape, list):
        for one in shape:
            reachable(sdk, one, found)
    elif isinstance(shape, dict) and "object" not in shape:
        reachable(sdk, list(shape.values()), found)
    elif isinstance(shape, dict) and shape["object"] not in found:
        found.add(shape["object"])
        reachable(sdk, [how["shape"] for how in sdk.objects[shape["object"]].values()], found)
    return found


def test_a_new_field_in_any_type_of_a_route_that_is_built_is_named(sdk: Sdk, here: Ours) -> None:
    types: set[str] = set()
    for method in sdk.methods:
        if (method.verb, template(method.path)) in here.routes:
            sent = [how["shape"] for how in (*method.body.values(), *method.query.values())]
            reachable(sdk, [*sent, method.answer], types)
    objects = {name: {**fields, **NEW} if name in types else fields for name, fields in sdk.objects.items()}
    named = {gap.name for gap in compare(replace(sdk, objects=objects), here) if gap.kind == "field"}
    assert len(types) > 500
    # What a reviewed row says is not served has nothing here to be compared with.
    unserved = {gap.name.rpartition(": ")[2] for gap in compare(sdk, here) if gap.kind == "type"}
    for gap in compare(sdk, here):
        holder, _, field = gap.name.rpartition(".")
        if gap.kind == "field" and holder in sdk.objects:
            reachable(sdk, sdk.objects[holder][field]["shape"], unserved)
    assert {name for name in types if f"{name}.new" not in named} - unserved == set()


@pytest.mark.parametrize("field", ["messages", "thinking", "tool_choice", "tools"])
def test_a_new_member_of_a_union_of_a_request_is_named(sdk: Sdk, here: Ours, field: str) -> None:
    old = sdk.method("beta.messages.create")
    body = copy.deepcopy(old.body)
    shape = body[field]["shape"]
    members = shape["list"]["union"] if "list" in shape else shape["union"]
    members.append({"object": "HologramParam"})
    objects = {**sdk.objects, "HologramParam": {"type": {"required": True, "shape": {"value": "hologram"}}}}
    methods = [replace(old, body=body) if method is old else method for method in sdk.methods]
    found = compare(replace(sdk, objects=objects, methods=methods), here)
    assert Gap("type", f"beta.messages.create.{field}: HologramParam") in found


def test_a_new_parameter_of_a_route_is_named(sdk: Sdk, here: Ours) -> None:
    for name, part in (("messages.create", "body"), ("beta.messages.count_tokens", "body"), ("models.list", "query")):
        old = sdk.method(name)
        new = replace(old, **{part: {**getattr(old, part), **NEW}})
        methods = [new if method is old else method for method in sdk.methods]
        assert Gap("field", f"{name}.new") in compare(replace(sdk, methods=methods), here)


def test_a_new_route_and_a_new_beta_are_named_and_in_no_row(sdk: Sdk, here: Ours) -> None:
    route = replace(sdk.method("models.list"), name="models.train", verb="POST", path="/v1/models/{model_id}/train")
    new = replace(sdk, methods=[*sdk.methods, route], betas=[*sdk.betas, "telepathy-2027-01-01"])
    found = reviewed.unreviewed(compare(new, here), ROWS)
    assert found == [Gap("beta", "telepathy-2027-01-01"), Gap("route", "POST /v1/models/{model_id}/train")]


def test_a_new_value_a_new_block_and_a_new_event_are_named(sdk: Sdk, here: Ours) -> None:
    reasons = sdk.objects["Message"]["stop_reason"]
    more = {**reasons, "shape": {"union": [*reasons["shape"]["union"], {"value": "boredom"}]}}  # type: ignore[index]
    assert Gap("value", "Message.stop_reason = boredom") in compare(changed(sdk, "Message", stop_reason=more), here)

    tag = {"required": True, "shape": {"value": "hologram"}}
    known = {**sdk.objects, "HologramBlock": {"type": tag}}
    blocks = sdk.objects["Message"]["content"]
    union = blocks["shape"]["list"]["union"]  # type: ignore[index]
    more = {**blocks, "shape": {"list": {"union": [*union, {"object": "HologramBlock"}]}}}
    new = changed(replace(sdk, objects=known), "Message", content=more)
    assert Gap("type", "Message.content: HologramBlock") in compare(new, here)

    old = sdk.method("messages.create")
    stream = {"stream": {"object": "HologramBlock"}}
    methods = [replace(one, answer=stream) if one is old else one for one in sdk.methods]
    found = compare(replace(sdk, objects=known, methods=methods), here)
    assert Gap("type", "messages.create stream: HologramBlock") in found


def test_what_the_sdk_no_longer_has_is_named_too(sdk: Sdk, here: Ours) -> None:
    found = compare(changed(changed(sdk, "Usage", inference_geo=None), "beta.BetaUsage", inference_geo=None), here)
    assert Gap("ours", "Usage.inference_geo") in found


def test_a_field_that_becomes_required_or_takes_null_is_named(sdk: Sdk, here: Ours) -> None:
    ttl = sdk.objects["CacheControlEphemeralParam"]["ttl"]
    new = changed(sdk, "CacheControlEphemeralParam", ttl={**ttl, "required": True})
    assert Gap("required", "CacheControlEphemeralParam.ttl") in compare(new, here)
    new = changed(sdk, "CacheControlEphemeralParam", ttl={**ttl, "shape": {"union": [*ttl["shape"]["union"], "null"]}})  # type: ignore[index]
    assert Gap("null", "CacheControlEphemeralParam.ttl") in compare(new, here)


def test_a_row_that_fits_nothing_and_a_difference_of_two_rows_are_named() -> None:
    rows = [reviewed.Row("route", ("* /v1/a*", "* /v1/ab"), brought_by="A"), reviewed.Row("beta", ("x",), reason="no")]
    gaps = [Gap("route", "GET /v1/ab")]
    assert reviewed.stale(gaps, rows) == ["beta: x"]
    assert reviewed.twice(gaps, rows) == ["route: GET /v1/ab by * /v1/a*, * /v1/ab"]
    with pytest.raises(ValueError, match="either brought_by or reason"):
        reviewed.Row("route", ("a",))

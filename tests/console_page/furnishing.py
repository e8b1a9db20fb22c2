"""An organization that has been at work for a month: what the pictures of the Console show."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx
from sqlalchemy import update

from pictures import png
from understudy.http.record import RequestRecord
from understudy.organization.tables import organizations
from understudy.settings import StorageSettings
from understudy.storage.database import Database
from understudy.usage.metrics import Metrics
from understudy.usage.rows import request_rows
from understudy.usage.writer import RowWriter

from .acting import Given
from .site import Site

DAYS: Final = 30
MODELS: Final = {
    "claude-sonnet-5-5": 0.46,
    "claude-haiku-4-5-20251001": 0.27,
    "claude-opus-5-5": 0.17,
    "claude-opus-4-8": 0.10,
}
WORKSPACES: Final = {"Production": "#1B7463", "Research": "#4A63B8", "Customer support": "#C0672A"}
KEYS: Final = {
    "storefront": "Production",
    "search-ranking": "Production",
    "paper-reader": "Research",
    "nightly-evals": "Research",
    "ticket-triage": "Customer support",
    "reply-drafts": "Customer support",
}
PEOPLE: Final = {
    "Grace Hall": "admin",
    "Kenji Mori": "developer",
    "Amara Obi": "developer",
    "Lucía Fernández": "billing",
    "Tomás Novák": "user",
}
ADDRESSES: Final = ("grace", "kenji", "amara", "lucia", "tomas")
CITIES: Final = ("Kyoto", "Nairobi", "Oslo", "Lima", "Hanoi", "Porto", "Cusco", "Tunis", "Riga", "Quito")

PROMPT: Final = {
    "model": "claude-haiku-4-5-20251001",
    "max_tokens": 2_048,
    "system": "You help travellers of {{agency}}. Be brief, and name what you have looked up.",
    "thinking": {"type": "enabled", "budget_tokens": 1_024},
    "tools": [
        {
            "name": "current_weather",
            "description": "The weather in a city, now.",
            "input_schema": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        }
    ],
    "messages": [{"role": "user", "content": "What should I pack for two days in {{city}}?"}],
}
ANSWER: Final = """It is **21 °C** in Kyoto and will rain on the second day. For two days:

1. a light jacket, and trousers that dry quickly
2. shoes that you can slip out of: temples ask you to
3. a folding umbrella

| | morning | afternoon |
|---|---|---|
| Saturday | 17 °C | 21 °C |
| Sunday | 16 °C, rain | 18 °C, rain |

Trains to the west of the city run every 15 minutes."""
RULES: Final = [
    {
        "name": "weather is asked for",
        "when": {"has_tool": "current_weather", "text_contains": "pack for"},
        "answer": {
            "content": [
                {
                    "type": "thinking",
                    "thinking": "What to pack follows from the weather. I have a tool for that, and know the city.",
                },
                {"type": "text", "text": "Let me see what the weather is like there."},
                {"type": "tool_use", "name": "current_weather", "input": {"city": "Kyoto"}},
            ]
        },
    },
    {
        "name": "weather is known",
        "when": {"tool_result_for": "current_weather"},
        "answer": {
            "content": [
                {"type": "thinking", "thinking": "Mild, with rain on the second day: layers, and an umbrella."},
                {"type": "text", "text": ANSWER},
            ]
        },
    },
    {"name": "capital", "when": {"text_contains": "capital of"}, "answer": {"text": "Kyoto was, until 1868."}},
]
SKILL: Final = "---\nname: {name}\ndescription: {description}\n---\n\n# How\n\nRead the figures, then write the page.\n"
SKILLS: Final = {
    "brand-voice": "Writes as our house does, in short sentences, no jargon, prices with their currency.",
    "quarterly-report": "Makes the quarterly report from exports of the ledger.",
}
FILES: Final = (
    Given("handbook-2026.pdf", "application/pdf", b"%PDF-1.7\n" + bytes(2_480_000)),
    Given("orders-october.csv", "text/csv", b"order,city,amount\n" * 10_240),
    Given("floor-plan.png", "image/png", png(640, 480)),
    Given("interview-notes.txt", "text/plain", b"She likes trains.\n" * 512),
)


@dataclass
class Furnished:
    """What tests of single things need to know of it."""

    site: Site
    batch: str
    skill: str
    workspace: str
    prompt: str
    refused: str
    """The id of a request that a limit refused."""


def furnish(site: Site) -> Furnished:
    """Fill a new server. What takes chance is drawn by a seed, so that pictures change only when pages do."""
    site.api("POST", "/_understudy/scenarios", {"rules": RULES})
    organization = site.api("GET", "/v1/organizations/me")["id"]
    places = {
        name: site.api("POST", "/v1/organizations/workspaces", {"name": name, "display_color": colour})["id"]
        for name, colour in WORKSPACES.items()
    }
    old = site.workspace("Prototype 2025")
    keys = {name: site.key(name, workspace_id=places[where]) for name, where in KEYS.items()}
    site.key("laptop of Kenji", expires_in="7d")
    site.api("POST", f"/v1/organizations/workspaces/{old}/archive", {})
    people = _people(site, places)
    account = site.api(
        "POST", "/v1/organizations/service_accounts", {"name": "release-bot", "description": "Rolls out releases"}
    )
    site.api("POST", "/v1/organizations/service_accounts", {"name": "data-sync"})
    site.key("release-bot", kind="service_account", service_account_id=account["id"])
    _money(site, places)
    for key in keys.values():
        hello = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
        site.api("POST", "/v1/messages", hello, key=key["raw_key"])
    actors = [people["Kenji Mori"], people["Amara Obi"], account["id"]]
    records = list(_history(organization, places, {name: key["id"] for name, key in keys.items()}, actors))
    with ThreadPoolExecutor(1) as beside:  # Playwright's own loop runs in this thread
        beside.submit(asyncio.run, _write(site, records)).result()
    skill = _uploads(site, keys["storefront"]["raw_key"])
    batch = _batch(site)
    prompt = _prompt(site)
    refused = next(one.request_id for one in reversed(records) if one.limit_exceeded)
    return Furnished(site, batch, skill, places["Production"], prompt, refused)


def _people(site: Site, places: dict[str, str]) -> dict[str, str]:
    for number, (name, role) in enumerate(PEOPLE.items()):
        given = {"email": f"{ADDRESSES[number]}@example.com", "name": name, "role": role}
        site.api("POST", "/_understudy/admin/users", given)
    for address, role in (("noor@example.com", "developer"), ("sven@example.com", "billing")):
        site.api("POST", "/v1/organizations/invites", {"email": address, "role": role})
    found = {one["name"]: one["id"] for one in site.api("GET", "/v1/organizations/users?limit=100")["data"]}
    for place, name, role in (
        ("Production", "Kenji Mori", "workspace_developer"),
        ("Production", "Amara Obi", "workspace_admin"),
        ("Research", "Amara Obi", "workspace_developer"),
        ("Customer support", "Tomás Novák", "workspace_user"),
    ):
        given = {"user_id": found[name], "workspace_role": role}
        site.api("POST", f"/v1/organizations/workspaces/{places[place]}/members", given)
    return found


def _money(site: Site, places: dict[str, str]) -> None:
    admin = "/_understudy/admin"
    site.api("POST", f"{admin}/credit", {"amount": "2500.00", "note": "Invoice 2026-118"})
    site.api("POST", f"{admin}/spend_alerts", {"amount": "1000"})
    site.api("POST", f"{admin}/spend_alerts", {"amount": "150", "workspace_id": places["Research"]})
    limits = "/v1/organizations/spend_limits"
    for name, cents in (("Production", "150000"), ("Research", "40000")):
        scope = {"type": "workspace", "workspace_id": places[name]}
        site.api("POST", limits, {"scope": scope, "amount": cents})


def _history(
    organization: str, places: dict[str, str], keys: dict[str, str], actors: list[str]
) -> Generator[RequestRecord]:
    """Requests of the last thirty days: more by day than by night, few at weekends, more from week to week."""
    chance = random.Random(8)
    now = time.time()
    number = 0
    for hour in range(DAYS * 24, -1, -1):
        begins = now - hour * 3_600 - 1_800
        clock, weekday = time.gmtime(begins).tm_hour, time.gmtime(begins).tm_wday
        busy = (0.25 + math.exp(-(((clock - 14) / 4.5) ** 2))) * (0.35 if weekday > 4 else 1) * (1.4 - hour / 1_400)
        for _ in range(round(9 * busy * chance.uniform(0.75, 1.25))):
            number += 1
            name = chance.choices(list(KEYS), [8, 4, 3, 2, 3, 2])[0]
            received = begins + chance.uniform(-1_700, 1_700)
            made = _request(chance, number, received)
            made.organization_id, made.workspace_id, made.api_key_id = organization, places[KEYS[name]], keys[name]
            made.actor_id = chance.choice(actors)
            yield made


def _request(chance: random.Random, number: int, received: float) -> RequestRecord:
    one = RequestRecord(
        f"req_011C{_base58(int(received))}{_base58(number, 14)}",
        received,
        "POST",
        "/v1/messages",
        status=200,
        anthropic_version="2026-10-21",
        user_agent="anthropic-sdk-python 2.12.0",
        model=chance.choices(list(MODELS), list(MODELS.values()))[0],
        engine="simulator",
        service_tier="standard",
        inference_geo="global",
        speed="standard",
        stream=chance.random() < 0.7,
    )
    drawn = chance.random()
    if drawn < 0.012:
        one.status, one.error_type, one.limit_exceeded, one.duration = 429, "rate_limit_error", _LIMIT, 0.003
    elif drawn < 0.02:
        one.status, one.error_type, one.duration = 400, "invalid_request_error", 0.002
    elif drawn < 0.024:
        one.status, one.error_type, one.duration = 529, "overloaded_error", 0.8
    else:
        one.stop_reason = chance.choices(["end_turn", "tool_use", "max_tokens"], [70, 24, 6])[0]
        one.message_id = f"msg_011C{_base58(int(received))}{_base58(number, 14)}"
        one.input_tokens = int(chance.lognormvariate(7, 0.9))
        one.output_tokens = int(chance.lognormvariate(5.8, 0.8))
        if chance.random() < 0.55:
            one.cache_read_input_tokens = int(chance.lognormvariate(8.4, 0.6))
        elif chance.random() < 0.3:
            one.cache_creation_5m_input_tokens = int(chance.lognormvariate(8.2, 0.5))
        one.time_to_first_token = chance.uniform(0.25, 0.9)
        one.duration = one.time_to_first_token + one.output_tokens / chance.uniform(60, 140)
    return one


_LIMIT: Final = "organization/input_tokens_per_minute_cache_aware 0/2000000"
_DIGITS: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _base58(number: int, length: int = 6) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 58)
        text = _DIGITS[digit] + text
    return text


async def _write(site: Site, records: list[RequestRecord]) -> None:
    db = Database(StorageSettings(data_dir=site.server.data_dir))
    try:
        async with db.begin() as connection:
            await connection.execute(update(organizations).values(name="Far & Near Travel"))
        rows = request_rows(records)
        writer = RowWriter(db, Metrics(MODELS), request_log=True, also_write=None)
        for first in range(0, len(rows), 1_000):
            await writer.write(rows[first : first + 1_000])
    finally:
        await db.dispose()


def _uploads(site: Site, key: str) -> str:
    """Files and skills, all in the default workspace, which the Console opens with. The id of a skill."""
    skill = ""
    with httpx.Client(
        base_url=site.server.url,
        headers={"x-api-key": site.server.api_key, "anthropic-version": "2026-10-21"},
        timeout=30,
        trust_env=False,
    ) as client:
        for one in FILES:
            answer = client.post("/v1/files", files={"file": (one.name, one.content, one.type)})
            assert answer.is_success, answer.text
        for name, description in SKILLS.items():
            content = SKILL.format(name=name, description=description).encode()
            files = [
                ("files[]", (f"{name}/SKILL.md", content, "text/markdown")),
                ("files[]", (f"{name}/scripts/build.py", b"print('ready')\n", "text/x-python")),
            ]
            shown = name.replace("-", " ").capitalize()
            answer = client.post("/v1/skills", files=files, data={"display_name": shown})
            assert answer.is_success, answer.text
            skill = answer.json()["id"]
            client.post(f"/v1/skills/{skill}/versions", files=files).raise_for_status()
    return skill


def _batch(site: Site) -> str:
    """An ended batch of which some requests failed; another that was cancelled. The id of the first."""
    ids: list[str] = []
    for wrong in ((3, 7), ()):
        requests = [
            {
                "custom_id": f"city-{place:02}-{city.lower()}",
                "params": {
                    "model": "claude-haiku-4-5-20251001",
                    "max_tokens": 0 if place in wrong else 256,
                    "messages": [{"role": "user", "content": f"Write two sentences about {city}."}],
                },
            }
            for place, city in enumerate(CITIES * 2)
        ]
        made = site.api("POST", "/v1/messages/batches", {"requests": requests}, key=site.server.api_key)
        ids.append(made["id"])
    deadline = time.monotonic() + 30
    for id_ in ids:
        path = f"/v1/messages/batches/{id_}"
        while site.api("GET", path, key=site.server.api_key)["processing_status"] != "ended":
            assert time.monotonic() < deadline, "the batch does not end"
            time.sleep(0.2)
    return ids[0]


def _prompt(site: Site) -> str:
    """A saved prompt of the owner's with test cases."""
    context = site.chromium.new_context(storage_state=site.owner)
    root = f"{site.server.url}/_understudy/console"
    try:
        session = context.request.get(f"{root}/session").json()
        workspace = next(one["id"] for one in session["workspaces"] if one["is_default"])
        headers = {"x-understudy-csrf": session["csrf_token"], "origin": site.server.url}

        def send(method: str, path: str, data: Any) -> Any:
            answer = context.request.fetch(f"{root}{path}", method=method, data=data, headers=headers)
            assert answer.ok, answer.text()
            return answer.json()

        variables = {"agency": "Far & Near", "city": "Kyoto"}
        body = {"name": "What to pack", "request": PROMPT, "variables": variables}
        prompt = send("POST", f"/prompts?workspace_id={workspace}", body)["id"]
        send("POST", f"/prompts/{prompt}/versions", {"request": PROMPT, "variables": variables})
        cases = [
            {
                "id": f"case-{place}",
                "variables": {**variables, "city": city},
                "ideal": "umbrella" if place % 2 else None,
            }
            for place, city in enumerate(CITIES[:4])
        ]
        send("PUT", f"/prompts/{prompt}/test_cases", {"data": cases})
        results = [
            {
                "test_case_id": f"case-{place}",
                "model": "claude-haiku-4-5-20251001",
                "output": f"For {city}: layers, good shoes" + (", an umbrella." if place != 3 else "."),
                "grade": 5 - place % 3,
                "stop_reason": "end_turn",
            }
            for place, city in enumerate(CITIES[:4])
        ]
        send("PUT", f"/prompts/{prompt}/results", {"data": results})
        return prompt
    finally:
        context.close()

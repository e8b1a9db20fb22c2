"""instructor: pydantic models by tools, nested and in parts while they stream."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any, Literal

import instructor
from anthropic import Anthropic, AsyncAnthropic
from cases import ADA, KEY, MODEL, URL, case, run_cases
from pydantic import BaseModel, Field

PARAMS: dict[str, Any] = {"model": MODEL, "max_tokens": 1024, "max_retries": 0}


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, le=150)
    email: str


class Item(BaseModel):
    name: str
    count: int = Field(ge=1)


class Order(BaseModel):
    """An order with its items."""

    status: Literal["open", "closed"]
    items: list[Item] = Field(min_length=1)


def client(mode: instructor.Mode = instructor.Mode.TOOLS) -> Any:
    return instructor.from_anthropic(Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60), mode=mode)


def says(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@case
def tools() -> Any:
    return client().chat.completions.create(response_model=Person, messages=says(ADA), **PARAMS).model_dump()


@case
def nested() -> Any:
    text = "Record an open order of 3 apples and 2 pears."
    return client().chat.completions.create(response_model=Order, messages=says(text), **PARAMS).model_dump()


@case
def partial() -> Any:
    stream = client().chat.completions.create_partial(response_model=Person, messages=says(ADA), **PARAMS)
    parts = [part.model_dump() for part in stream]
    return {"parts": len(parts), "last": parts[-1]}


@case
async def asynchronous() -> Any:
    sdk = AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
    made = instructor.from_anthropic(sdk, mode=instructor.Mode.TOOLS)
    person = await made.chat.completions.create(response_model=Person, messages=says(ADA), **PARAMS)
    return person.model_dump()


if __name__ == "__main__":
    run_cases()

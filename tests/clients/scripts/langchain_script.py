"""langchain-anthropic: a chat model with bound tools, structured output both ways, and streams."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

from cases import ADA, KEY, MODEL, PARIS, URL, WEATHER, case, run_cases
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The whole name.")
    age: int
    email: str


@tool
def get_weather(city: str) -> str:
    """Look up the current weather of a city."""
    return json.dumps({"city": city, **WEATHER})


@tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


TOOLS = {"get_weather": get_weather, "multiply": multiply}


def chat(**more: Any) -> ChatAnthropic:
    return ChatAnthropic(model=MODEL, base_url=URL, api_key=KEY, max_retries=0, timeout=60, max_tokens=4000, **more)


@case
def tool_loop() -> Any:
    """The loop that every user of `bind_tools` writes."""
    bound = chat().bind_tools(list(TOOLS.values()))
    messages: list[Any] = [HumanMessage(PARIS)]
    calls: list[Any] = []
    for _ in range(5):
        answer = bound.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            break
        for call in answer.tool_calls:
            calls.append([call["name"], call["args"]])
            messages.append(ToolMessage(TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]))
    return {"calls": calls, "text": messages[-1].text, "usage": messages[-1].usage_metadata}


@case
async def streamed_call() -> Any:
    """The pieces of a streamed call, after thinking, add up to the call."""
    bound = chat(thinking={"type": "enabled", "budget_tokens": 2000}).bind_tools(list(TOOLS.values()))
    whole: AIMessageChunk | None = None
    pieces = 0
    async for piece in bound.astream(PARIS):
        whole = piece if whole is None else whole + piece
        pieces += len(piece.tool_call_chunks)
    assert whole is not None
    kinds = [block["type"] for block in whole.content_blocks]
    calls = [[call["name"], call["args"]] for call in whole.tool_calls]
    # What was streamed goes back as history, its signed thinking too.
    messages = [HumanMessage(PARIS), whole, ToolMessage(json.dumps(WEATHER), tool_call_id=whole.tool_calls[0]["id"])]
    answer = await bound.ainvoke(messages)
    return {"kinds": kinds, "calls": calls, "pieces": pieces, "text": answer.text}


@case
def streamed_text() -> Any:
    return {"streamed": "".join(piece.text for piece in chat().stream("Good morning")), "whole": ask("Good morning")}


def ask(prompt: str) -> str:
    return chat().invoke(prompt).text


@case
def structured_by_tool() -> Any:
    return chat().with_structured_output(Person, method="function_calling").invoke(ADA).model_dump()


@case
def structured_by_schema() -> Any:
    return chat().with_structured_output(Person, method="json_schema").invoke(ADA).model_dump()


@case
def counted() -> Any:
    messages = [HumanMessage(PARIS)]
    bound = chat().bind_tools(list(TOOLS.values()))
    counted = chat().get_num_tokens_from_messages(messages, tools=list(TOOLS.values()))
    return {"counted": counted, "used": bound.invoke(messages).usage_metadata["input_tokens"]}


if __name__ == "__main__":
    run_cases()

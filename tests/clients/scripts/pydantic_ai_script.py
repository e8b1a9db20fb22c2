"""pydantic-ai: an agent with tools, typed output by a tool and by the API's own JSON schema, and a stream."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

from anthropic import AsyncAnthropic
from cases import ADA, KEY, MODEL, PARIS, URL, WEATHER, case, run_cases
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider


class Person(BaseModel):
    name: str
    age: int
    email: str


class Weather(BaseModel):
    city: str
    temperature: int


def agent(output: Any = str, **settings: Any) -> Agent[None, Any]:
    client = AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
    model = AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=client))
    return Agent(model, output_type=output, model_settings=AnthropicModelSettings(max_tokens=4000, **settings))


def with_weather(made: Agent[None, Any], called: list[str]) -> Agent[None, Any]:
    @made.tool_plain
    def get_weather(city: str) -> dict[str, Any]:
        """Look up the current weather of a city.

        Args:
            city: The city's name.
        """
        called.append(city)
        return {"city": city, **WEATHER}

    return made


@case
def tools() -> Any:
    called: list[str] = []
    result = with_weather(agent(), called).run_sync(PARIS)
    return {"called": called, "text": result.output, "requests": result.usage.requests}


@case
async def tools_after_thinking() -> Any:
    called: list[str] = []
    made = with_weather(agent(anthropic_thinking={"type": "enabled", "budget_tokens": 2000}), called)
    result = await made.run(PARIS)
    kinds = [part.part_kind for message in result.all_messages() for part in message.parts]
    return {"called": called, "text": result.output, "kinds": kinds}


@case
def output_by_tool() -> Any:
    return agent(ToolOutput(Person)).run_sync(ADA).output.model_dump()


@case
def output_by_schema() -> Any:
    return agent(NativeOutput(Person)).run_sync(ADA).output.model_dump()


@case
def output_after_a_tool() -> Any:
    called: list[str] = []
    result = with_weather(agent(NativeOutput(Weather)), called).run_sync(PARIS)
    return {"called": called, "output": result.output.model_dump()}


@case
async def streamed() -> Any:
    called: list[str] = []
    async with with_weather(agent(), called).run_stream(PARIS) as result:
        pieces = [piece async for piece in result.stream_text(delta=True)]
    return {"called": called, "text": "".join(pieces)}


if __name__ == "__main__":
    run_cases()

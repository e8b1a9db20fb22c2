// The AI SDK with its Anthropic provider.
// Usage: node ai_sdk.mjs URL KEY

import { createAnthropic } from '@ai-sdk/anthropic';
import { Output, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import * as z from 'zod';
import { runCases } from './cases.mjs';

const [url, key] = process.argv.slice(2);
globalThis.AI_SDK_LOG_WARNINGS = false;
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: key });
const model = anthropic('claude-sonnet-4-5');
const person = z.object({ name: z.string(), age: z.number().int(), email: z.string() });
const prompt = 'What is the weather in Paris?';
const ada = 'Extract: Ada Lovelace is 36 years old, mail ada@example.com';

function weatherTools(called) {
  return {
    get_weather: tool({
      description: 'Look up the current weather of a city.',
      inputSchema: z.object({ city: z.string().describe("The city's name.") }),
      execute: async ({ city }) => {
        called.push(city);
        return { city, temperature: 18, condition: 'light rain' };
      },
    }),
  };
}

async function toolLoop() {
  const called = [];
  const options = { model, prompt, tools: weatherTools(called), stopWhen: stepCountIs(5), maxRetries: 0 };
  const { text, steps, finishReason, totalUsage } = await generateText(options);
  return { called, text, steps: steps.map((step) => step.finishReason), finishReason, totalUsage };
}

async function streamedToolLoop() {
  const called = [];
  const types = new Set();
  const result = streamText({
    model,
    prompt,
    tools: weatherTools(called),
    stopWhen: stepCountIs(5),
    maxRetries: 0,
    providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 2000 } } },
    onError: ({ error }) => {
      throw error;
    },
  });
  for await (const part of result.fullStream) {
    types.add(part.type);
    if (part.type === 'error') throw part.error;
  }
  return { called, types: [...types], text: await result.text, steps: (await result.steps).length };
}

async function object() {
  return (await generateObject({ model, schema: person, prompt: ada, maxRetries: 0 })).object;
}

async function streamedObject() {
  const result = streamObject({ model, schema: person, prompt: ada, maxRetries: 0 });
  let last;
  for await (const partial of result.partialObjectStream) last = partial;
  return { last, object: await result.object };
}

async function outputBesideTools() {
  const called = [];
  const { output } = await generateText({
    model,
    prompt,
    tools: weatherTools(called),
    stopWhen: stepCountIs(5),
    maxRetries: 0,
    output: Output.object({ schema: z.object({ city: z.string(), temperature: z.number() }) }),
  });
  return { called, output };
}

await runCases({
  tool_loop: toolLoop,
  streamed_tool_loop: streamedToolLoop,
  object,
  streamed_object: streamedObject,
  output_beside_tools: outputBesideTools,
});

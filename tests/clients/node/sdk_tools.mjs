// The official TypeScript SDK's helpers for tools, schemas, thinking and streams.
// Usage: node sdk_tools.mjs URL KEY

import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import * as z from 'zod';
import { runCases } from './cases.mjs';

const [url, key] = process.argv.slice(2);
const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 60_000 });
const model = 'claude-sonnet-4-5';
const weather = { temperature: 18, condition: 'light rain' };
const paris = [{ role: 'user', content: 'What is the weather in Paris?' }];
const textOf = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
const ada = [{ role: 'user', content: 'Extract: Ada Lovelace is 36 years old, mail ada@example.com' }];
const person = z.object({ name: z.string(), age: z.number().int(), email: z.string() });

const weatherTool = {
  name: 'get_weather',
  description: 'Look up the current weather of a city.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

function runnableWeather(called) {
  return betaZodTool({
    name: 'get_weather',
    description: 'Look up the current weather of a city.',
    inputSchema: z.object({ city: z.string().describe("The city's name.") }),
    run: ({ city }) => {
      called.push(city);
      return JSON.stringify({ city, ...weather });
    },
  });
}

async function toolRunner() {
  const called = [];
  const runner = client.beta.messages.toolRunner({
    model,
    max_tokens: 1024,
    messages: paris,
    tools: [runnableWeather(called)],
  });
  const stops = [];
  let text = '';
  for await (const message of runner) {
    stops.push(message.stop_reason);
    text = textOf(message);
  }
  return { called, stops, text };
}

async function streamingToolRunner() {
  const called = [];
  const runner = client.beta.messages.toolRunner({
    model: 'claude-opus-5-5',
    max_tokens: 1024,
    messages: paris,
    tools: [runnableWeather(called)],
    stream: true,
  });
  const types = [];
  const stops = [];
  for await (const stream of runner) {
    for await (const event of stream) types.push(event.type);
    stops.push((await stream.finalMessage()).stop_reason);
  }
  return { called, stops, starts: types.filter((type) => type === 'message_start').length };
}

async function parsed() {
  const format = zodOutputFormat(person);
  const message = await client.messages.parse({ model, max_tokens: 1024, messages: ada, output_config: { format } });
  return message.parsed_output;
}

async function streamWithThinking(model, thinking) {
  const seen = { thinking: '', signature: '', json: '' };
  const stream = client.messages
    .stream({ model, max_tokens: 4000, messages: paris, tools: [weatherTool], thinking })
    .on('thinking', (piece) => (seen.thinking += piece))
    .on('signature', (signature) => (seen.signature = signature))
    .on('inputJson', (piece) => (seen.json += piece));
  const message = await stream.finalMessage();
  const call = message.content.at(-1);
  const result = { type: 'tool_result', tool_use_id: call.id, content: JSON.stringify(weather) };
  const answer = await client.messages.create({
    model,
    max_tokens: 4000,
    tools: [weatherTool],
    thinking,
    messages: [...paris, { role: 'assistant', content: message.content }, { role: 'user', content: [result] }],
  });
  return { seen, message, answer: { text: textOf(answer), stop_reason: answer.stop_reason } };
}

await runCases({
  tool_runner: toolRunner,
  streaming_tool_runner: streamingToolRunner,
  parsed,
  thinking_budget: () => streamWithThinking(model, { type: 'enabled', budget_tokens: 2000 }),
  thinking_adaptive: () => streamWithThinking('claude-opus-5-5', { type: 'adaptive', display: 'summarized' }),
});

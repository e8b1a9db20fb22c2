// Makes calls with the official TypeScript SDK and prints what came back as one JSON object.
// Usage: node sdk.mjs URL KEY

import Anthropic from '@anthropic-ai/sdk';

const [url, key] = process.argv.slice(2);
const model = 'claude-sonnet-4-5';
const hello = [{ role: 'user', content: 'Hello, who are you?' }];
const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 60_000 });

const textOf = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text).join('');

const summary = (message) => ({
  id: message.id,
  role: message.role,
  model: message.model,
  text: textOf(message),
  stop_reason: message.stop_reason,
  stop_sequence: message.stop_sequence,
  input_tokens: message.usage.input_tokens,
  output_tokens: message.usage.output_tokens,
});

const create = (changed = {}, using = client) =>
  using.messages.create({ model, max_tokens: 1024, messages: hello, ...changed });

async function errorOf(call) {
  try {
    await call();
  } catch (error) {
    return {
      class: error.constructor.name,
      is_api_error: error instanceof Anthropic.APIError,
      status: error.status,
      type: error.error?.error?.type ?? null,
      body_request_id: error.error?.request_id ?? null,
      request_id: error.requestID ?? null,
    };
  }
  return { class: null };
}

// A server that closes while the body is still on its way can cut off its own answer, but not every time.
async function tooLarge() {
  const messages = [{ role: 'user', content: 'x'.repeat(33 * 1024 * 1024) }];
  let error;
  for (let round = 0; round < 10; round++) {
    error = await errorOf(() => create({ messages }));
    if (error.status !== 413) break;
  }
  return error;
}

async function rawStream() {
  const types = [];
  let text = '';
  for await (const event of await create({ stream: true })) {
    types.push(event.type);
    if (event.type === 'content_block_delta') text += event.delta.text;
  }
  return { types, text };
}

async function helper() {
  let text = '';
  const stream = client.messages.stream({ model, max_tokens: 1024, messages: hello });
  stream.on('text', (piece) => (text += piece));
  const message = summary(await stream.finalMessage());
  return { message, text };
}

async function halfClosed() {
  const stream = await create({ stream: true });
  for await (const event of stream) {
    stream.controller.abort();
    return { first: event.type, after: summary(await create()) };
  }
}

async function models() {
  const ids = [];
  for await (const listed of client.models.list({ limit: 5 })) ids.push(listed.id);
  return { ids, retrieved: await client.models.retrieve('claude-haiku-4-5') };
}

const { data, response } = await create().withResponse();
const wrongKey = new Anthropic({ baseURL: url, apiKey: 'not-a-key', maxRetries: 0 });

console.log(
  JSON.stringify({
    node: process.version,
    plain: summary(data),
    plain_request_id: data._request_id,
    headers: Object.fromEntries(response.headers),
    newest: summary(await create({ model: 'claude-opus-5-5' })),
    raw: await rawStream(),
    helper: await helper(),
    max_tokens: summary(await create({ max_tokens: 3 })),
    stop_sequence: summary(await create({ stop_sequences: ['e'] })),
    half_closed: await halfClosed(),
    models: await models(),
    errors: {
      no_messages: await errorOf(() => create({ messages: [] })),
      unknown_field: await errorOf(() => create({ not_a_field: 1 })),
      wrong_key: await errorOf(() => create({}, wrongKey)),
      unknown_model: await errorOf(() => create({ model: 'no-such-model' })),
      too_large: await tooLarge(),
      no_such_model: await errorOf(() => client.models.retrieve('no-such-model')),
    },
  }),
);

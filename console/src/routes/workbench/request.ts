/** What the Workbench edits, and the request of the Messages API that it stands for, both ways. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
export type JsonObject = { [name: string]: Json }
/** A content block as the API has it: `type` and whatever belongs to it. */
export type Block = JsonObject & { type: string }
export type Role = 'user' | 'assistant' | 'system'
export type Turn = { key: number; role: Role; blocks: Block[] }

export type ApiVersion = '2026-10-21' | '2023-06-01'

/** What has a control of its own. Empty texts and nulls are not sent. */
export type Draft = {
  model: string
  system: string
  turns: Turn[]
  tools: JsonObject[]
  max_tokens: number
  temperature: string
  top_p: string
  top_k: string
  stop_sequences: string[]
  thinking: string
  budget_tokens: number
  display: string
  effort: string
  tool_choice: string
  parallel: boolean
  schema: string
  caching: boolean
  service_tier: string
  version: ApiVersion
  betas: string[]
  /** JSON of further fields of the request. */
  extra: string
}

let keys = 0
export const turn = (role: Role, blocks: Block[] = [text('')]): Turn => ({ key: ++keys, role, blocks })
export const text = (value: string): Block => ({ type: 'text', text: value })

export function newDraft(model = ''): Draft {
  return {
    model,
    system: '',
    turns: [turn('user')],
    tools: [],
    max_tokens: 4096,
    temperature: '',
    top_p: '',
    top_k: '',
    stop_sequences: [],
    thinking: '',
    budget_tokens: 2048,
    display: '',
    effort: '',
    tool_choice: '',
    parallel: true,
    schema: '',
    caching: false,
    service_tier: '',
    version: '2026-10-21',
    betas: [],
    extra: '',
  }
}

/** Why a draft is no request yet; `field` is the control that is at fault. */
export class DraftError extends Error {
  constructor(
    readonly field: 'schema' | 'extra' | 'number',
    message: string,
  ) {
    super(message)
  }
}

/** The request's body, without `stream`. Throws DraftError for JSON that is none. */
export function toRequest(draft: Draft): JsonObject {
  const request: JsonObject = { model: draft.model, max_tokens: draft.max_tokens }
  if (draft.system.trim()) request['system'] = draft.system
  request['messages'] = draft.turns.map(({ role, blocks }) => ({ role, content: content(blocks) }))
  if (draft.tools.length) request['tools'] = draft.tools
  const choice = toolChoice(draft)
  if (choice) request['tool_choice'] = choice
  for (const name of ['temperature', 'top_p', 'top_k'] as const) {
    const value = draft[name].trim()
    if (!value) continue
    if (!Number.isFinite(Number(value))) throw new DraftError('number', name)
    request[name] = Number(value)
  }
  if (draft.stop_sequences.length) request['stop_sequences'] = [...draft.stop_sequences]
  if (draft.thinking) {
    const thinking: JsonObject = { type: draft.thinking }
    if (draft.thinking === 'enabled') thinking['budget_tokens'] = draft.budget_tokens
    if (draft.display && draft.thinking !== 'disabled') thinking['display'] = draft.display
    request['thinking'] = thinking
  }
  const output: JsonObject = {}
  if (draft.effort) output['effort'] = draft.effort
  if (draft.schema.trim()) {
    output['format'] = { type: 'json_schema', schema: object(draft.schema, 'schema') }
  }
  if (Object.keys(output).length) request['output_config'] = output
  if (draft.caching) request['cache_control'] = { type: 'ephemeral' }
  if (draft.service_tier) request['service_tier'] = draft.service_tier
  if (!draft.extra.trim()) return request
  const extra = object(draft.extra, 'extra')
  const configured = extra['output_config']
  // What is set by a control and what is written by hand are one object of the API's.
  if (isObject(configured)) extra['output_config'] = { ...output, ...configured }
  return { ...request, ...extra }
}

/** The draft that a request (kept, logged, or pasted) is. What has no control goes to `extra`. */
export function fromRequest(request: JsonObject, before: Draft = newDraft()): Draft {
  const { model, max_tokens, system, messages, tools, tool_choice, stop_sequences, thinking, ...rest } = request
  const draft = { ...newDraft(), version: before.version, betas: before.betas }
  const extra: JsonObject = { ...rest }
  delete extra['stream']
  if (typeof model === 'string') draft.model = model
  if (typeof max_tokens === 'number') draft.max_tokens = max_tokens
  if (typeof system === 'string') draft.system = system
  else if (Array.isArray(system)) {
    const plain = system.every((block) => isObject(block) && Object.keys(block).sort().join() === 'text,type')
    if (plain) draft.system = system.map((block) => String((block as JsonObject)['text'])).join('\n\n')
    else extra['system'] = system
  }
  if (Array.isArray(messages)) draft.turns = messages.filter(isObject).map(toTurn)
  if (Array.isArray(tools)) draft.tools = tools.filter(isObject)
  if (isObject(tool_choice)) {
    draft.tool_choice = tool_choice['type'] === 'tool' ? `tool:${String(tool_choice['name'])}` : String(tool_choice['type'])
    draft.parallel = tool_choice['disable_parallel_tool_use'] !== true
  }
  if (Array.isArray(stop_sequences)) draft.stop_sequences = stop_sequences.map(String)
  if (isObject(thinking)) {
    draft.thinking = String(thinking['type'] ?? '')
    if (typeof thinking['budget_tokens'] === 'number') draft.budget_tokens = thinking['budget_tokens']
    if (typeof thinking['display'] === 'string') draft.display = thinking['display']
  }
  for (const name of ['temperature', 'top_p', 'top_k'] as const) {
    if (typeof extra[name] !== 'number') continue
    draft[name] = String(extra[name])
    delete extra[name]
  }
  if (typeof extra['service_tier'] === 'string') {
    draft.service_tier = extra['service_tier']
    delete extra['service_tier']
  }
  const cache = extra['cache_control']
  if (isObject(cache) && Object.keys(cache).join() === 'type') {
    draft.caching = true
    delete extra['cache_control']
  }
  const output = extra['output_config']
  if (isObject(output)) {
    const { effort, format, ...others } = output
    if (typeof effort === 'string') draft.effort = effort
    if (isObject(format) && isObject(format['schema'])) draft.schema = JSON.stringify(format['schema'], null, 2)
    if (Object.keys(others).length) extra['output_config'] = others
    else delete extra['output_config']
  }
  draft.extra = Object.keys(extra).length ? JSON.stringify(extra, null, 2) : ''
  return draft
}

/** The same request with other texts in the places of its variables. */
export function filled(request: JsonObject, values: Record<string, string>): JsonObject {
  const fill = (value: Json): Json => {
    if (typeof value === 'string') return value.replace(VARIABLE, (whole, name: string) => values[name] ?? whole)
    if (Array.isArray(value)) return value.map(fill)
    if (isObject(value)) {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, name === 'data' ? one : fill(one)]))
    }
    return value
  }
  const { system, messages, ...rest } = request
  return {
    ...rest,
    ...(system === undefined ? {} : { system: fill(system) }),
    ...(messages === undefined ? {} : { messages: fill(messages) }),
  }
}

/** Thinking is bound to the very conversation that it was part of: with other values in it, it is no longer valid. */
export function withoutThinking(request: JsonObject): JsonObject {
  const messages = request['messages']
  if (!Array.isArray(messages)) return request
  const thought = (block: Json) => isObject(block) && (block['type'] === 'thinking' || block['type'] === 'redacted_thinking')
  return {
    ...request,
    messages: messages.map((message) => {
      if (!isObject(message) || !Array.isArray(message['content'])) return message
      return { ...message, content: message['content'].filter((block) => !thought(block)) }
    }),
  }
}

const VARIABLE = /\{\{\s*([\p{L}_][\p{L}\p{N}_-]{0,63})\s*\}\}/gu

/** Names of the variables in the prompt, in the order in which they stand there. */
export function variablesOf(draft: Draft): string[] {
  const found = new Set<string>()
  const look = (value: string) => {
    for (const match of value.matchAll(VARIABLE)) if (match[1]) found.add(match[1])
  }
  look(draft.system)
  for (const { blocks } of draft.turns) {
    for (const block of blocks) {
      if (typeof block['text'] === 'string') look(block['text'])
      const source = block['source']
      if (isObject(source) && source['type'] === 'text' && typeof source['data'] === 'string') continue
      if (block.type === 'tool_result' && typeof block['content'] === 'string') look(block['content'])
    }
  }
  return [...found]
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function toTurn(message: JsonObject): Turn {
  const given = message['content']
  const role: Role = message['role'] === 'assistant' ? 'assistant' : message['role'] === 'system' ? 'system' : 'user'
  if (typeof given === 'string') return turn(role, [text(given)])
  const blocks = (Array.isArray(given) ? given : []).filter((one): one is Block => isObject(one) && typeof one['type'] === 'string')
  return turn(role, blocks)
}

/** One text block is sent as a plain string, as people write it; empty texts beside other blocks are left out. */
function content(blocks: Block[]): Json {
  const only = blocks[0]
  if (blocks.length === 1 && only && Object.keys(only).length === 2 && typeof only['text'] === 'string') return only['text']
  return blocks.filter((block) => block.type !== 'text' || block['text'] !== '')
}

function toolChoice(draft: Draft): JsonObject | null {
  if (!draft.tool_choice && draft.parallel) return null
  const [type = 'auto', name] = (draft.tool_choice || 'auto').split(/:(.*)/s)
  const choice: JsonObject = { type }
  if (type === 'tool' && name !== undefined) choice['name'] = name
  if (!draft.parallel && type !== 'none') choice['disable_parallel_tool_use'] = true
  return choice
}

function object(value: string, field: 'schema' | 'extra'): JsonObject {
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch (error) {
    throw new DraftError(field, error instanceof Error ? error.message : String(error))
  }
  if (!isObject(parsed)) throw new DraftError(field, '{…}')
  return parsed
}

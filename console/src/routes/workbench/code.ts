/** Programs that send a request with the official SDKs, or with curl. */

import type { ApiVersion, Json, JsonObject } from './request'
import { isObject } from './request'

export type Language = 'python' | 'typescript' | 'curl'
export type Wanted = {
  request: JsonObject
  betas: string[]
  version: ApiVersion
  stream: boolean
  /** Where the server is, without a slash at the end. */
  url: string
}

const MOST_DATA = 200

export function code(language: Language, wanted: Wanted): string {
  const short = { ...wanted, request: shortened(wanted.request) as JsonObject }
  return language === 'python' ? python(short) : language === 'typescript' ? typescript(short) : curl(short)
}

/** Files as base64 are told by what they are: nobody pastes a megabyte into a program. */
function shortened(value: Json): Json {
  if (Array.isArray(value)) return value.map(shortened)
  if (!isObject(value)) return value
  const kind = typeof value['media_type'] === 'string' ? value['media_type'] : 'data'
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      const file = name === 'data' && value['type'] === 'base64' && typeof one === 'string' && one.length > MOST_DATA
      return [name, file ? `<base64 of your ${kind}>` : shortened(one)]
    }),
  )
}

const OLD: ApiVersion = '2023-06-01'

/** What `messages.create` of the Python SDK (2.12) takes by name, and what its beta takes besides. */
const ARGUMENTS = [
  'cache_control', 'container', 'diagnostics', 'inference_geo', 'max_tokens', 'messages', 'metadata', 'model', 'output_config',
  'service_tier', 'speed', 'stop_sequences', 'system', 'thinking', 'tool_choice', 'tools', 'user_profile_id', 'workspace_id',
]
const BETA_ARGUMENTS = [
  'betas', 'billing_policy', 'compaction', 'context_management', 'fallback_credit_token', 'fallbacks', 'mcp_servers', 'thread',
]

function python({ request, betas, version, stream, url }: Wanted): string {
  const client = betas.length ? 'client.beta.messages' : 'client.messages'
  const taken = betas.length ? [...ARGUMENTS, ...BETA_ARGUMENTS] : ARGUMENTS
  const named: JsonObject = {}
  const extra: JsonObject = {}
  for (const [name, value] of Object.entries({ ...request, ...(betas.length ? { betas } : {}) })) {
    const place = taken.includes(name) ? named : extra
    place[name] = value
  }
  // Older models take sampling parameters that this SDK has no arguments for.
  if (Object.keys(extra).length) named['extra_body'] = extra
  const body = Object.entries(named).map(([name, value]) => `${name}=${literal(value, 1)},`)
  const headers = version === OLD ? [`    default_headers={"anthropic-version": "${version}"},`] : []
  const head = [
    'import os',
    '',
    'import anthropic',
    '',
    'client = anthropic.Anthropic(',
    `    base_url=${JSON.stringify(url)},`,
    '    api_key=os.environ["ANTHROPIC_API_KEY"],',
    ...headers,
    ')',
    '',
  ]
  if (!stream) {
    return [...head, `message = ${client}.create(`, ...indented(body, 1), ')', 'print(message.content)', ''].join('\n')
  }
  return [
    ...head,
    `with ${client}.stream(`,
    ...indented(body, 1),
    ') as stream:',
    '    for text in stream.text_stream:',
    '        print(text, end="", flush=True)',
    '',
  ].join('\n')
}

/** A value as Python writes it, with lines that begin `depth` steps in. */
function literal(value: Json, depth: number): string {
  if (value === null) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return String(value)
  const pad = '    '.repeat(depth)
  if (Array.isArray(value)) {
    if (!value.length) return '[]'
    return `[\n${value.map((one) => `${pad}    ${literal(one, depth + 1)},\n`).join('')}${pad}]`
  }
  const entries = Object.entries(value)
  if (!entries.length) return '{}'
  const lines = entries.map(([name, one]) => `${pad}    ${JSON.stringify(name)}: ${literal(one, depth + 1)},\n`)
  return `{\n${lines.join('')}${pad}}`
}

function typescript({ request, betas, version, stream, url }: Wanted): string {
  const client = betas.length ? 'client.beta.messages' : 'client.messages'
  const body = JSON.stringify({ ...request, ...(betas.length ? { betas } : {}) }, null, 2)
  const headers = version === OLD ? [`  defaultHeaders: { 'anthropic-version': '${version}' },`] : []
  const head = [
    "import Anthropic from '@anthropic-ai/sdk'",
    '',
    'const client = new Anthropic({',
    `  baseURL: '${url}',`,
    "  apiKey: process.env['ANTHROPIC_API_KEY'],",
    ...headers,
    '})',
    '',
  ]
  const after = stream
    ? [
        `const stream = ${client}.stream(${body})`,
        "stream.on('text', (text) => process.stdout.write(text))",
        'await stream.finalMessage()',
        '',
      ]
    : [`const message = await ${client}.create(${body})`, 'console.log(message.content)', '']
  return [...head, ...after].join('\n')
}

function curl({ request, betas, version, stream, url }: Wanted): string {
  const body = JSON.stringify(stream ? { ...request, stream: true } : request, null, 2)
  return [
    `curl ${stream ? '-N ' : ''}${url}/v1/messages \\`,
    '  -H "x-api-key: $ANTHROPIC_API_KEY" \\',
    `  -H "anthropic-version: ${version}" \\`,
    ...(betas.length ? [`  -H "anthropic-beta: ${betas.join(',')}" \\`] : []),
    '  -H "content-type: application/json" \\',
    `  -d '${body.replaceAll("'", "'\\''")}'`,
    '',
  ].join('\n')
}

function indented(lines: string[], steps: number): string[] {
  return lines.map((line) => '    '.repeat(steps) + line)
}

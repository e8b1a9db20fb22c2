/** The events of a stream, folded into the message that they tell. Types that nobody knows yet are kept as they come. */

import type { Block, Json, JsonObject } from './request'
import { isObject } from './request'

export type Usage = JsonObject
export type Answer = {
  id: string
  model: string
  blocks: Block[]
  /** Of the block that is being written: the JSON of its input so far. */
  partial: string
  open: number | null
  stop_reason: string | null
  stop_sequence: string | null
  stop_details: Json
  usage: Usage
  container: Json
}

export const nothing: Answer = {
  id: '', model: '', blocks: [], partial: '', open: null, stop_reason: null, stop_sequence: null, stop_details: null,
  usage: {}, container: null,
}

/** `answer` is left alone; what has changed in the one returned is a new object. */
export function fold(answer: Answer, event: JsonObject): Answer {
  switch (event['type']) {
    case 'message_start': {
      const message = objectOf(event['message'])
      return {
        ...nothing,
        id: String(message['id'] ?? ''),
        model: String(message['model'] ?? ''),
        usage: objectOf(message['usage']),
        container: message['container'] ?? null,
      }
    }
    case 'content_block_start': {
      const block = objectOf(event['content_block']) as Block
      return { ...answer, blocks: [...answer.blocks, block], open: answer.blocks.length, partial: '' }
    }
    case 'content_block_delta':
      return grown(answer, objectOf(event['delta']))
    case 'content_block_stop': {
      if (answer.open === null || !answer.partial) return { ...answer, open: null }
      return { ...changed(answer, (block) => ({ ...block, input: parsed(answer.partial) })), open: null, partial: '' }
    }
    case 'message_delta': {
      const delta = objectOf(event['delta'])
      return {
        ...answer,
        stop_reason: textOr(delta['stop_reason'], answer.stop_reason),
        stop_sequence: textOr(delta['stop_sequence'], answer.stop_sequence),
        stop_details: delta['stop_details'] ?? answer.stop_details,
        container: delta['container'] ?? answer.container,
        usage: { ...answer.usage, ...objectOf(event['usage']) },
      }
    }
    default:
      return answer
  }
}

function grown(answer: Answer, delta: JsonObject): Answer {
  const more = (name: string, value: Json | undefined) =>
    changed(answer, (block) => ({ ...block, [name]: String(block[name] ?? '') + String(value ?? '') }))
  switch (delta['type']) {
    case 'text_delta':
      return more('text', delta['text'])
    case 'thinking_delta':
      return more('thinking', delta['thinking'])
    case 'signature_delta':
      return changed(answer, (block) => ({ ...block, signature: delta['signature'] ?? '' }))
    case 'input_json_delta':
      return { ...answer, partial: answer.partial + String(delta['partial_json'] ?? '') }
    case 'citations_delta':
      return changed(answer, (block) => {
        const before = block['citations']
        return { ...block, citations: [...(Array.isArray(before) ? before : []), delta['citation'] ?? null] }
      })
    case 'compaction_delta':
      return changed(answer, (block) => ({ ...block, ...without(delta, 'type') }))
    default:
      return answer
  }
}

function changed(answer: Answer, change: (block: Block) => JsonObject): Answer {
  const at = answer.open
  const block = at === null ? undefined : answer.blocks[at]
  if (at === null || !block) return answer
  const blocks = [...answer.blocks]
  blocks[at] = change(block) as Block
  return { ...answer, blocks }
}

function without(value: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
}

function parsed(json: string): Json {
  try {
    return JSON.parse(json) as Json
  } catch {
    // A stream that was cut, or eager input that never became whole.
    return json
  }
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {}
}

function textOr(value: Json | undefined, otherwise: string | null): string | null {
  return typeof value === 'string' ? value : otherwise
}

/** The same answer when it came in one piece. */
export function whole(message: JsonObject): Answer {
  const content = message['content']
  return {
    ...nothing,
    id: String(message['id'] ?? ''),
    model: String(message['model'] ?? ''),
    blocks: (Array.isArray(content) ? content : []) as Block[],
    stop_reason: textOr(message['stop_reason'], null),
    stop_sequence: textOr(message['stop_sequence'], null),
    stop_details: message['stop_details'] ?? null,
    usage: objectOf(message['usage']),
    container: message['container'] ?? null,
  }
}

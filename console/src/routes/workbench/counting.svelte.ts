import { aborted, type ApiFailure, failureOf, post, V1 } from '$lib/api'
import { isObject, type JsonObject } from './request'
import type { Sent } from './run.svelte'

/** Fields of a request that have no part in what its prompt counts. */
const LEFT_OUT = ['max_tokens', 'temperature', 'top_p', 'top_k', 'stop_sequences', 'service_tier', 'metadata', 'container']

/** How many tokens the prompt has, a moment after the last change. Make it while a component is set up. */
export class TokenCount {
  count = $state<number | null>(null)
  failure = $state.raw<ApiFailure | null>(null)

  constructor(sent: () => Sent, wait = 500) {
    $effect(() => {
      const asked = read(sent)
      const asking = new AbortController()
      if (!asked?.request['model'] || isEmpty(asked)) {
        this.count = this.failure = null
        return
      }
      const timer = setTimeout(() => void this.#ask(asked, asking.signal), wait)
      return () => {
        clearTimeout(timer)
        asking.abort()
      }
    })
  }

  async #ask({ request, betas, version }: Sent, signal: AbortSignal): Promise<void> {
    const body: JsonObject = { ...request }
    for (const name of LEFT_OUT) delete body[name]
    const headers: Record<string, string> = { 'anthropic-version': version }
    if (betas.length) headers['anthropic-beta'] = betas.join(',')
    try {
      const counted = await post<{ input_tokens: number }>(`${V1}/messages/count_tokens`, body, { headers, signal })
      this.count = counted.input_tokens
      this.failure = null
    } catch (error) {
      if (aborted(error)) return
      this.failure = failureOf(error)
    }
  }
}

/** Whether a message has no words yet, which the API refuses. */
function isEmpty({ request }: Sent): boolean {
  const messages = request['messages']
  return Array.isArray(messages) && messages.some((one) => isObject(one) && !String(one['content'] ?? '').trim())
}

/** Nothing while some JSON is not whole. */
function read(sent: () => Sent): Sent | null {
  try {
    return sent()
  } catch {
    return null
  }
}

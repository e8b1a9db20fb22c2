/** One answer of one model, while it comes and afterwards. */

import Anthropic, { APIError, APIUserAbortError } from '@anthropic-ai/sdk'
import { ApiFailure, failureOf, post, ROOT, sessionHeaders } from '$lib/api'
import { fold, nothing, type Answer } from './fold'
import { isObject, type ApiVersion, type JsonObject } from './request'

export type State = 'idle' | 'running' | 'done' | 'stopped' | 'failed'
export type Sent = { request: JsonObject; betas: string[]; version: ApiVersion }

/** Events that are kept to be looked at; beyond, only their number is. */
const MOST_EVENTS = 2000

export class Run {
  state = $state<State>('idle')
  answer = $state.raw<Answer>(nothing)
  failure = $state.raw<ApiFailure | null>(null)
  requestId = $state<string | null>(null)
  /** Milliseconds from sending. */
  firstToken = $state<number | null>(null)
  duration = $state<number | null>(null)
  /** US dollars as a decimal text, where the server knows the model's prices. */
  cost = $state<string | null>(null)
  sent = $state.raw<Sent | null>(null)
  events: JsonObject[] = []
  count = 0

  #controller: AbortController | null = null

  /** Sends a request and takes in its stream; ends when the stream does. Nothing is thrown: `failure` says what went wrong. */
  start = async (sent: Sent): Promise<void> => {
    this.stop()
    const controller = new AbortController()
    this.#controller = controller
    this.sent = sent
    this.answer = nothing
    this.failure = this.requestId = this.firstToken = this.duration = this.cost = null
    this.events = []
    this.count = 0
    this.state = 'running'
    const begun = performance.now()
    let latest: Answer = nothing
    let drawing = 0
    // A fast stream has many events between two pictures of the screen; only the last of them is drawn.
    const draw = () => {
      drawing = 0
      this.answer = latest
    }
    try {
      const asked = client(sent.version).messages.create(
        { ...(sent.request as unknown as Anthropic.MessageCreateParamsStreaming), stream: true },
        { signal: controller.signal, headers: sent.betas.length ? { 'anthropic-beta': sent.betas.join(',') } : {} },
      )
      const { data: stream, response } = await asked.withResponse()
      this.requestId = response.headers.get('request-id')
      for await (const event of stream) {
        const told = event as unknown as JsonObject
        if (this.firstToken === null && told['type'] === 'content_block_delta') this.firstToken = performance.now() - begun
        if (++this.count <= MOST_EVENTS) this.events.push(told)
        latest = fold(latest, told)
        drawing ||= requestAnimationFrame(draw)
      }
      this.state = controller.signal.aborted ? 'stopped' : 'done'
    } catch (error) {
      if (error instanceof APIUserAbortError || controller.signal.aborted) this.state = 'stopped'
      else {
        this.failure = readFailure(error)
        this.requestId ??= this.failure.requestId
        this.state = 'failed'
      }
    }
    cancelAnimationFrame(drawing)
    this.answer = latest
    this.duration = performance.now() - begun
    if (latest.id) this.cost = await costOf(latest, sent.request).catch(() => null)
  }

  stop = (): void => {
    this.#controller?.abort()
    this.#controller = null
  }
}

function client(version: ApiVersion): Anthropic {
  return new Anthropic({
    baseURL: location.origin + ROOT,
    // The session is what counts; the page has no key.
    apiKey: 'console',
    dangerouslyAllowBrowser: true,
    maxRetries: 0,
    defaultHeaders: { ...sessionHeaders(), 'anthropic-version': version },
  })
}

function readFailure(error: unknown): ApiFailure {
  if (!(error instanceof APIError)) return failureOf(error)
  const body: unknown = error.error
  const told = isObject(body) && isObject(body['error']) ? body['error'] : {}
  const id = isObject(body) && typeof body['request_id'] === 'string' ? body['request_id'] : (error.requestID ?? null)
  return new ApiFailure(error.status ?? 0, String(told['type'] ?? 'api_error'), String(told['message'] ?? error.message), id)
}

async function costOf(answer: Answer, request: JsonObject): Promise<string | null> {
  const asked: JsonObject = { model: answer.model, usage: answer.usage }
  for (const name of ['service_tier', 'speed', 'inference_geo']) {
    const value = answer.usage[name] ?? request[name]
    if (typeof value === 'string') asked[name] = value
  }
  return (await post<{ amount: string | null }>(`${ROOT}/cost`, asked)).amount
}

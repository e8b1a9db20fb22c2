/** One way to the server: same origin, session cookie, CSRF header, and errors with their request id. */

import type { Query } from './router.svelte'

export const ROOT = '/_understudy/console'
/** The whole public API as the person who is signed in. */
export const V1 = `${ROOT}/v1`
/** The Admin API. */
export const ORGANIZATION = `${V1}/organizations`
/** Understudy's own administration. */
export const ADMIN = '/_understudy/admin'

const CSRF_HEADER = 'x-understudy-csrf'

export const API_VERSION = '2026-10-21'

/** An answer that is an error, or no answer at all (status 0). */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly requestId: string | null = null,
    /** Seconds, where the answer names them. */
    readonly retryAfter: number | null = null,
    readonly body: unknown = null,
  ) {
    super(message)
    this.name = 'ApiFailure'
  }
}

export type Asking = {
  query?: Query | URLSearchParams
  /** An object is sent as JSON; FormData and Blob as they are. */
  body?: unknown
  headers?: Record<string, string>
  /** The workspace asked in; the chosen one unless told, null for none. */
  workspace?: string | null
  signal?: AbortSignal
}

type Context = {
  csrf: string | null
  workspace: string | null
  onUnauthorized: () => void
  /** Asks anew who is signed in. Whether it is the same person with another token, so that one may ask again. */
  renew: () => Promise<boolean>
}

/** Filled by session.svelte.ts. */
export const context: Context = { csrf: null, workspace: null, onUnauthorized: () => {}, renew: async () => false }

export const get = <T>(path: string, asking?: Asking) => json<T>('GET', path, asking)
export const post = <T>(path: string, body?: unknown, asking?: Asking) => json<T>('POST', path, { ...asking, body })
export const put = <T>(path: string, body?: unknown, asking?: Asking) => json<T>('PUT', path, { ...asking, body })
export const del = <T>(path: string, asking?: Asking) => json<T>('DELETE', path, asking)

async function json<T>(method: string, path: string, asking?: Asking): Promise<T> {
  const response = await ask(method, path, asking)
  if (response.status === 204) return undefined as T
  const text = await response.text()
  try {
    return (text ? JSON.parse(text) : undefined) as T
  } catch {
    throw new ApiFailure(response.status, 'api_error', 'The answer is not JSON.', response.headers.get('request-id'))
  }
}

/** The answer itself, for downloads and streams. Throws ApiFailure for all but 2xx. */
export async function ask(method: string, path: string, asking: Asking = {}, again = false): Promise<Response> {
  const init: RequestInit = { method, headers: headers(method, path, asking), credentials: 'same-origin' }
  if (asking.signal) init.signal = asking.signal
  const { body } = asking
  if (body instanceof FormData || body instanceof Blob) init.body = body
  else if (body !== undefined) init.body = JSON.stringify(body)
  let response: Response
  try {
    response = await fetch(address(path, asking.query), init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiFailure(0, 'network', 'The server does not answer.')
  }
  if (response.ok) return response
  const failure = await read(response)
  // Signed in again in another tab: the cookie is new, and this page's token is not.
  const stale = failure.status === 403 && failure.message.includes(CSRF_HEADER)
  if (stale && !again && (await context.renew())) return ask(method, path, asking, true)
  // The sign-in page's own 401 is about what was typed.
  if (failure.status === 401 && !path.startsWith(`${ROOT}/session`)) context.onUnauthorized()
  throw failure
}

/** Headers that the official SDK needs as well. */
export function sessionHeaders(workspace: string | null = context.workspace): Record<string, string> {
  const sent: Record<string, string> = {}
  if (context.csrf) sent[CSRF_HEADER] = context.csrf
  if (workspace) sent['anthropic-workspace-id'] = workspace
  return sent
}

function headers(method: string, path: string, asking: Asking): Record<string, string> {
  const sent = sessionHeaders(asking.workspace === undefined ? context.workspace : asking.workspace)
  if (path.startsWith(V1)) sent['anthropic-version'] = API_VERSION
  else delete sent['anthropic-workspace-id']
  if (method === 'GET') delete sent[CSRF_HEADER]
  const { body } = asking
  if (body !== undefined && !(body instanceof FormData) && !(body instanceof Blob)) {
    sent['content-type'] = 'application/json'
  }
  return { ...sent, ...asking.headers }
}

/** A path with its query; empty texts, nulls and undefined are left out. */
export function address(path: string, query: Query | URLSearchParams = {}): string {
  const search = query instanceof URLSearchParams ? query : new URLSearchParams()
  if (!(query instanceof URLSearchParams)) {
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== '') search.append(name, String(value))
    }
  }
  const text = search.toString()
  return text ? `${path}?${text}` : path
}

async function read(response: Response): Promise<ApiFailure> {
  const after = Number(response.headers.get('retry-after') ?? Number.NaN)
  const id = response.headers.get('request-id')
  const body: unknown = await response.json().catch(() => null)
  const envelope = (body ?? {}) as { error?: { type?: string; message?: string }; request_id?: string }
  return new ApiFailure(
    response.status,
    envelope.error?.type ?? 'api_error',
    envelope.error?.message ?? `The server answered ${response.status}.`,
    envelope.request_id ?? id,
    Number.isFinite(after) ? after : null,
    body,
  )
}

/** Anything thrown, as an ApiFailure. */
export function failureOf(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error
  const thrown = error as { status?: number; message?: string; requestID?: string; request_id?: string } | null
  return new ApiFailure(thrown?.status ?? 0, 'page', thrown?.message ?? String(error), thrown?.requestID ?? null)
}

export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

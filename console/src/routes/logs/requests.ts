/** A row of the request log. Times are seconds, money is dollars as text. */
export type LoggedRequest = {
  request_id: string
  received_at: number
  method: string
  path: string
  status: number
  duration: number
  error_type: string | null
  workspace_id: string | null
  api_key_id: string | null
  actor_id: string | null
  anthropic_version: string | null
  user_agent: string | null
  model: string | null
  engine: string | null
  upstream_model: string | null
  upstream_request_id: string | null
  message_id: string | null
  stream: boolean | null
  stop_reason: string | null
  service_tier: string | null
  inference_geo: string | null
  speed: string | null
  time_to_first_token: number | null
  input_tokens: number | null
  cache_creation_5m_input_tokens: number | null
  cache_creation_1h_input_tokens: number | null
  cache_read_input_tokens: number | null
  output_tokens: number | null
  web_search_requests: number | null
  web_fetch_requests: number | null
  disconnected: boolean
  limit_exceeded: string | null
  cost: string | null
}

export type LoggedInFull = LoggedRequest & {
  limits: { exceeded: string | null; refused: boolean }
  timings: { time_to_first_token: number | null; duration: number; output_tokens_per_second: number | null }
  request: unknown
  response: unknown
  bodies_hidden?: boolean
}

export function tone(one: LoggedRequest): 'good' | 'warn' | 'bad' | 'neutral' {
  if (one.disconnected) return 'neutral'
  if (one.status === 429 || one.status === 529) return 'warn'
  return one.status >= 400 || one.error_type ? 'bad' : 'good'
}

export const hasEnded = (one: LoggedRequest) => Number.isFinite(one.duration)

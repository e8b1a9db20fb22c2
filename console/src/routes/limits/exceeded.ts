import { t } from './text'

/** The limit that a request came to, as the request log has it: `workspace/requests_per_minute 0/50`. */
export type Exceeded = { scope: string; limiter: string; remaining: number | null; limit: number | null }

/** What spending has instead is without numbers. */
export function readExceeded(text: string): Exceeded {
  const [name = '', numbers = ''] = text.split(' ')
  const [scope = '', limiter = ''] = name.split('/')
  const [remaining, limit] = numbers.split('/')
  return { scope, limiter, remaining: remaining ? Number(remaining) : null, limit: limit ? Number(limit) : null }
}

const NAMES: Record<string, Parameters<typeof t>[0]> = {
  requests_per_minute: 'requests_per_minute',
  input_tokens_per_minute: 'input_tokens_per_minute',
  input_tokens_per_minute_cache_aware: 'input_tokens_cache_aware',
  output_tokens_per_minute: 'output_tokens_per_minute',
  requests_per_hour: 'requests_per_hour',
}

export const limiterName = (limiter: string) => (NAMES[limiter] ? t(NAMES[limiter]) : limiter.replaceAll('_', ' '))

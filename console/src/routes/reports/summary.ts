/** Requests, tokens and cost by time, as /_understudy/admin/request_summary has them, made ready for charts. */

import { ADMIN, get } from '$lib/api'
import { sum } from '$lib/format'
import type { Query } from '$lib/router.svelte'

export type Result = {
  workspace_id: string | null
  api_key_id: string | null
  actor_id: string | null
  model: string | null
  requests: number
  errors: number
  rate_limited: number
  input_tokens: number
  cache_creation_5m_input_tokens: number
  cache_creation_1h_input_tokens: number
  cache_read_input_tokens: number
  output_tokens: number
  /** US dollars. */
  cost: string
  /** Of what is left beside the largest groups: how many groups these are. */
  others?: number
}
export type Bucket = { starting_at: string; ending_at: string; results: Result[] }
export type By = 'model' | 'api_key_id' | 'workspace_id' | 'actor_id'
export type Figure = 'requests' | 'errors' | 'rate_limited' | 'input' | 'output' | 'cache_read' | 'cache_write' | 'cost'

export const RANGES = {
  '1h': { seconds: 3600, width: '1m', step: 60 },
  '24h': { seconds: 86_400, width: '1h', step: 3600 },
  '7d': { seconds: 604_800, width: '1h', step: 3600 },
  '30d': { seconds: 2_592_000, width: '1d', step: 86_400 },
} as const
export type Range = keyof typeof RANGES

/** How many groups a chart tells apart. */
export const LINES = 7

/** The query of a range that ends now, in whole buckets. */
export function rangeQuery(range: Range, now = Date.now()): Query {
  const { seconds, width, step } = RANGES[range]
  const first = Math.floor(now / 1000 / step) * step + step - seconds
  return { starting_at: new Date(first * 1000).toISOString(), bucket_width: width, limit: Math.min(seconds / step, 168) }
}

export async function readSummary(query: Query, signal?: AbortSignal): Promise<Bucket[]> {
  const buckets: Bucket[] = []
  for (let page: string | null | undefined = null; ; ) {
    const asked = page ? { ...query, page } : query
    const read: { data: Bucket[]; next_page: string | null } = await get(`${ADMIN}/request_summary`, { query: asked, ...(signal ? { signal } : {}) })
    buckets.push(...read.data)
    page = read.next_page
    if (!page) return buckets
  }
}

export const cacheWrite = (one: Result) => one.cache_creation_5m_input_tokens + one.cache_creation_1h_input_tokens

/** Only charts round money to floats; what is told as a figure is summed as text. */
export function value(one: Result, figure: Figure): number {
  switch (figure) {
    case 'input':
      return one.input_tokens + one.cache_read_input_tokens + cacheWrite(one)
    case 'output':
      return one.output_tokens
    case 'cache_read':
      return one.cache_read_input_tokens
    case 'cache_write':
      return cacheWrite(one)
    case 'cost':
      return Number(one.cost)
    default:
      return one[figure]
  }
}

export type Total = Result & { key: string }

const OTHERS = '\0others'
const keyOf = (one: Result, by: By | null) => (by ? (one.others ? OTHERS : (one[by] ?? '')) : '')

/** Sums over the whole time, by what they are grouped by; the largest first. */
export function totals(buckets: Bucket[], by: By | null): Total[] {
  const found = new Map<string, Total>()
  const costs = new Map<string, string[]>()
  for (const { results } of buckets) {
    for (const one of results) {
      const key = keyOf(one, by)
      const before = found.get(key)
      if (!before) found.set(key, { ...one, key })
      else {
        for (const name of COUNTERS) before[name] += one[name]
      }
      costs.set(key, [...(costs.get(key) ?? []), one.cost])
    }
  }
  const list = [...found.values()]
  for (const one of list) one.cost = sum(costs.get(one.key) ?? [])
  return list.sort((a, b) => Number(b.cost) - Number(a.cost) || b.requests - a.requests)
}

const COUNTERS = [
  'requests', 'errors', 'rate_limited', 'input_tokens', 'cache_creation_5m_input_tokens', 'cache_creation_1h_input_tokens',
  'cache_read_input_tokens', 'output_tokens',
] as const

export const times = (buckets: Bucket[]) => buckets.map((one) => Date.parse(one.starting_at) / 1000)

/** One line of a chart by `figure`, over all groups. */
export const line = (buckets: Bucket[], figure: Figure) =>
  buckets.map(({ results }) => results.reduce((all, one) => all + value(one, figure), 0))

/** Lines of the largest groups, and one of all others. */
export function lines(buckets: Bucket[], by: By, figure: Figure, nameOf: (key: string) => string, others: string) {
  const groups = totals(buckets, by)
  const ranked = groups.filter((one) => one.key !== OTHERS).sort((a, b) => value(b, figure) - value(a, figure))
  const shown = ranked.slice(0, LINES).map((one) => one.key)
  const of = (keep: (key: string) => boolean) =>
    buckets.map(({ results }) => results.reduce((all, one) => all + (keep(keyOf(one, by)) ? value(one, figure) : 0), 0))
  const series = shown.map((key) => ({ label: nameOf(key), values: of((one) => one === key) }))
  if (groups.length > shown.length) series.push({ label: others, values: of((one) => !shown.includes(one)) })
  return series
}

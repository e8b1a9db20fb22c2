/** How near an hour's busiest minute came to the limit. */

export type RateLimit = {
  id: string
  group: { id: string; type: string; display_name: string }
  models: string[] | null
  limits: { type: string; value: number }[]
}
type Result = {
  model: string | null
  uncached_input_tokens: number
  cache_read_input_tokens: number
  cache_creation?: { ephemeral_1h_input_tokens: number; ephemeral_5m_input_tokens: number }
  output_tokens: number
}
export type Minute = { starting_at: string; results: Result[] }

export type Hour = {
  /** Seconds since 1970. */
  time: number
  /** In its busiest minute; what is read from the cache does not count against the limit. */
  mostInput: number
  mostOutput: number
  /** In all. */
  input: number
  cacheRead: number
}

export function hours(minutes: Minute[], models: string[] | null): Hour[] {
  const found = new Map<number, Hour>()
  for (const { starting_at, results } of minutes) {
    const time = Math.floor(Date.parse(starting_at) / 3_600_000) * 3600
    const hour = found.get(time) ?? { time, mostInput: 0, mostOutput: 0, input: 0, cacheRead: 0 }
    found.set(time, hour)
    let input = 0
    let output = 0
    for (const one of results) {
      if (models && !(one.model && models.includes(one.model))) continue
      const written = (one.cache_creation?.ephemeral_1h_input_tokens ?? 0) + (one.cache_creation?.ephemeral_5m_input_tokens ?? 0)
      input += one.uncached_input_tokens + written
      output += one.output_tokens
      hour.cacheRead += one.cache_read_input_tokens
      hour.input += one.uncached_input_tokens + written + one.cache_read_input_tokens
    }
    hour.mostInput = Math.max(hour.mostInput, input)
    hour.mostOutput = Math.max(hour.mostOutput, output)
  }
  return [...found.values()].sort((a, b) => a.time - b.time)
}

import { aborted, type ApiFailure, failureOf } from './api'

/**
 * A value from the server. `read` runs when the component is set up and again whenever the $state it reads (before its
 * first await) changes; an older answer never replaces a newer one. `every` reads it anew each so many milliseconds
 * while the page is seen.
 */
export class Load<T> {
  value = $state.raw<T | null>(null)
  failure = $state.raw<ApiFailure | null>(null)
  loading = $state(true)

  #read: (signal: AbortSignal) => Promise<T>
  #reading: AbortController | null = null

  constructor(read: (signal: AbortSignal) => Promise<T>, { every }: { every?: number } = {}) {
    this.#read = read
    $effect(() => {
      void this.#run()
      return () => this.#reading?.abort()
    })
    if (every !== undefined) {
      $effect(() => {
        const timer = setInterval(() => {
          if (document.visibilityState === 'visible' && !this.loading) void this.#run()
        }, every)
        return () => clearInterval(timer)
      })
    }
  }

  /** Reads again and leaves what is shown until the answer is there. */
  reload = (): Promise<void> => this.#run()

  async #run(): Promise<void> {
    this.#reading?.abort()
    const reading = new AbortController()
    this.#reading = reading
    const asked = this.#read(reading.signal)
    this.loading = true
    try {
      const value = await asked
      if (reading.signal.aborted) return
      this.value = value
      this.failure = null
    } catch (error) {
      if (aborted(error) || reading.signal.aborted) return
      this.failure = failureOf(error)
    }
    this.loading = false
  }
}

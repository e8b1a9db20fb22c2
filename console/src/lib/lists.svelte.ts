/** Lists in pages, in both shapes the API has: opaque cursors (`next_page`) and ids (`last_id`). */

import { aborted, type ApiFailure, failureOf, get } from './api'
import type { Query } from './router.svelte'

export type Page<T> = { data: T[]; has_more?: boolean; next_page?: string | null; last_id?: string | null }

function next<T>(page: Page<T>): Query | null {
  if (page.next_page) return { page: page.next_page }
  if (page.has_more && page.last_id) return { after_id: page.last_id }
  return null
}

/** All rows of a list whose length is known to be moderate (workspaces, members); stops at `most`. */
export async function all<T>(path: string, query: Query = {}, most = 1000): Promise<T[]> {
  const rows: T[] = []
  for (let at: Query | null = {}; at && rows.length < most; ) {
    const page: Page<T> = await get<Page<T>>(path, { query: { limit: 100, ...query, ...at } })
    rows.push(...page.data)
    at = next(page)
  }
  return rows
}

/**
 * A list that grows by `more()`. `from` says where it is read from; what it reads of $state (the workspace, filters)
 * starts the list anew when it changes. Make it while a component is set up.
 */
export class List<T> {
  rows = $state.raw<T[]>([])
  failure = $state.raw<ApiFailure | null>(null)
  loading = $state(true)
  more = $state(false)

  #from: () => { path: string; query?: Query } | null
  #next: Query | null = null
  #reading: AbortController | null = null

  constructor(from: () => { path: string; query?: Query } | null) {
    this.#from = from
    $effect(() => {
      const asked = from()
      this.rows = []
      if (asked) void this.#read(asked, {}, true)
      else this.loading = false
      return () => this.#reading?.abort()
    })
  }

  /** Reads the first page again and leaves what is shown until it is there. */
  reload = async (): Promise<void> => {
    const asked = this.#from()
    if (asked) await this.#read(asked, {}, true)
  }

  loadMore = async (): Promise<void> => {
    const asked = this.#from()
    if (asked && this.#next && !this.loading) await this.#read(asked, this.#next, false)
  }

  async #read(asked: { path: string; query?: Query }, at: Query, first: boolean): Promise<void> {
    this.#reading?.abort()
    const reading = new AbortController()
    this.#reading = reading
    this.loading = true
    try {
      const page = await get<Page<T>>(asked.path, { query: { ...asked.query, ...at }, signal: reading.signal })
      if (reading.signal.aborted) return
      this.rows = first ? page.data : [...this.rows, ...page.data]
      this.#next = next(page)
      this.more = this.#next !== null
      this.failure = null
    } catch (error) {
      if (aborted(error) || reading.signal.aborted) return
      this.failure = failureOf(error)
    }
    this.loading = false
  }
}

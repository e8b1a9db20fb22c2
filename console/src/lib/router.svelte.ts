/** Hash routing: `/console/#/keys?show=archived` works wherever the files are served. */

import { address } from './api'

export type Params = Record<string, string>

function parse(hash: string): { path: string; query: URLSearchParams } {
  const [path = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s)
  return { path: path.startsWith('/') ? path : `/${path}`, query: new URLSearchParams(query) }
}

class Router {
  #at = $state.raw(parse(location.hash))

  constructor() {
    addEventListener('hashchange', () => (this.#at = parse(location.hash)))
  }

  get path(): string {
    return this.#at.path
  }

  /** What stands behind `?`. Read it in markup or $derived; change it with `setQuery`. */
  get query(): URLSearchParams {
    return this.#at.query
  }

  go(path: string, query?: Query, { replace = false } = {}): void {
    const hash = href(path, query)
    if (replace) history.replaceState(null, '', hash)
    else if (location.hash !== hash) history.pushState(null, '', hash)
    this.#at = parse(hash)
  }

  /** Changes some of the query and leaves the rest; an empty or null value takes a name away. Makes no history. */
  setQuery(changes: Query): void {
    const query = Object.fromEntries(this.#at.query)
    this.go(this.path, { ...query, ...changes }, { replace: true })
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>

/** The link to a page: `<a href={href('/keys', { show: 'archived' })}>`. */
export const href = (path: string, query: Query = {}): string => `#${address(path, query)}`

/** The parameters of `path` by a pattern such as `/workspaces/:id`, or null. */
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split('/')
  const given = path.replace(/(.)\/$/, '$1').split('/')
  if (wanted.length !== given.length) return null
  const params: Params = {}
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? ''
    if (part.startsWith(':')) {
      if (!text) return null
      try {
        params[part.slice(1)] = decodeURIComponent(text)
      } catch {
        return null
      }
    } else if (part !== text) return null
  }
  return params
}

export const router = new Router()

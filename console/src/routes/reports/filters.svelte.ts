/** What reports are about: a time and a workspace, in the address of the page so that a reload keeps them. */

import { router, type Query } from '$lib/router.svelte'
import { session } from '$lib/session.svelte'
import { type By, type Range, RANGES, rangeQuery } from './summary'

export class Filters {
  #otherwise: Range

  constructor(otherwise: Range = '24h') {
    this.#otherwise = otherwise
  }

  get range(): Range {
    const asked = router.query.get('range') ?? ''
    return asked in RANGES ? (asked as Range) : this.#otherwise
  }

  get by(): By {
    const asked = router.query.get('by')
    return asked === 'api_key_id' || asked === 'workspace_id' || asked === 'actor_id' ? asked : 'model'
  }

  /** One workspace, or '' for all; who sees no usage of the organization sees one at a time. */
  get workspace(): string {
    const asked = router.query.get('workspace')
    if (asked && session.may('usage:read', asked)) return asked
    if (session.may('usage:read')) return ''
    return session.workspaces.find((one) => session.may('usage:read', one.id))?.id ?? ''
  }

  get workspaces() {
    return session.workspaces.filter((one) => session.may('usage:read', one.id))
  }

  /** For /_understudy/admin/request_summary. */
  query(group: By | null): Query {
    return { ...rangeQuery(this.range), group_by: group, workspace_id: this.workspace }
  }
}

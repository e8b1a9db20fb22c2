/** Names of workspaces and people by their ids, as far as the person may read them; read once and kept. */

import { all } from './lists.svelte'
import { ORGANIZATION } from './api'
import { session } from './session.svelte'

export type Workspace = {
  id: string
  name: string
  display_color: string
  created_at: string
  archived_at: string | null
  tags: Record<string, string> | null
  data_residency: { workspace_geo: string | null; allowed_inference_geos: string[] | string; default_inference_geo: string }
}
export type User = { id: string; email: string; name: string; role: string; added_at: string }
export type ServiceAccount = {
  id: string
  name: string
  description: string | null
  organization_role: string
  created_at: string
  archived_at: string | null
}

class Directory {
  workspaces = $state.raw<Workspace[]>([])
  users = $state.raw<User[]>([])
  accounts = $state.raw<ServiceAccount[]>([])
  #asked: string | null = null

  /** Reads what is not read yet. Call it where names are shown; failures leave ids in their place. */
  want = (): void => {
    const who = session.in?.user.id ?? null
    if (who === this.#asked) return
    this.#asked = who
    void this.reload()
  }

  reload = async (): Promise<void> => {
    const ask = async <T>(allowed: boolean, path: string, query: Record<string, string | boolean> = {}) =>
      allowed ? await all<T>(`${ORGANIZATION}/${path}`, query).catch(() => []) : []
    const both = { include_archived: true }
    ;[this.workspaces, this.users, this.accounts] = await Promise.all([
      ask<Workspace>(session.mayAnywhere('workspaces:read'), 'workspaces', { ...both, include_default: true }),
      ask<User>(session.may('members:read'), 'users'),
      ask<ServiceAccount>(session.may('service_accounts:read'), 'service_accounts', both),
    ])
  }

  workspace(id: string | null | undefined): { name: string; color: string | undefined } {
    const found = this.workspaces.find((one) => one.id === id) ?? session.workspaces.find((one) => one.id === id)
    return { name: found?.name ?? id ?? '–', color: found?.display_color }
  }

  /** The name of a user or service account. */
  actor(id: string | null | undefined): string {
    if (!id) return '–'
    if (id === session.in?.user.id) return session.in.user.name || session.in.user.email
    const user = this.users.find((one) => one.id === id)
    return user ? user.name || user.email : (this.accounts.find((one) => one.id === id)?.name ?? id)
  }
}

export const directory = new Directory()

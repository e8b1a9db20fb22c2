/** Who is signed in, what they may do, and which workspace they work in. */

import { context, del, failureOf, get, post, ROOT, type ApiFailure } from './api'
import { preferences } from './preferences.svelte'

export type Permission =
  | 'organization:read'
  | 'members:read'
  | 'members:write'
  | 'admins:write'
  | 'workspaces:read'
  | 'workspaces:write'
  | 'workspace_members:read'
  | 'workspace_members:write'
  | 'api_keys:read'
  | 'api_keys:write'
  | 'api_keys:create'
  | 'admin_keys:create'
  | 'service_accounts:read'
  | 'service_accounts:write'
  | 'limits:read'
  | 'limits:write'
  | 'spend:read'
  | 'spend:write'
  | 'usage:read'
  | 'audit:read'
  | 'inference'
  | 'files:download'

export type OwnWorkspace = {
  id: string
  name: string
  display_color: string
  role: string
  permissions: string[]
  is_default: boolean
}

export type SignedOut = {
  signed_in: false
  setup: boolean
  min_password_length: number
  oidc: { name: string; start: string } | null
  version: string
}

export type SignedIn = {
  signed_in: true
  csrf_token: string
  user: { id: string; email: string; name: string; role: string }
  organization: { id: string; name: string }
  permissions: string[]
  workspaces: OwnWorkspace[]
  password: boolean
  min_password_length: number
  version: string
  features: { bodies_kept: boolean; limits_mode: 'observe' | 'enforce'; code_execution: boolean }
}

class Session {
  #state = $state.raw<SignedIn | SignedOut | null>(null)
  /** Why the server could not be asked at all. */
  failure = $state.raw<ApiFailure | null>(null)
  /** Whether a session was there and ended by itself. */
  ended = $state(false)

  constructor() {
    context.onUnauthorized = () => {
      if (!this.in) return
      this.ended = true
      void this.refresh()
    }
    context.renew = async () => {
      const { user, csrf_token } = this.now
      await this.refresh()
      return this.in !== null && this.in.user.id === user.id && this.in.csrf_token !== csrf_token
    }
  }

  get known(): boolean {
    return this.#state !== null
  }
  get in(): SignedIn | null {
    return this.#state?.signed_in ? this.#state : null
  }
  get out(): SignedOut | null {
    return this.#state?.signed_in === false ? this.#state : null
  }
  /** The same for pages, which are only shown to somebody who is signed in. */
  get now(): SignedIn {
    if (!this.in) throw new Error('nobody is signed in')
    return this.in
  }

  /** Fewest characters of a new password. */
  get leastPassword(): number {
    return this.#state?.min_password_length ?? 12
  }

  get workspaces(): OwnWorkspace[] {
    return this.in?.workspaces ?? []
  }

  /** The chosen workspace: Workbench, batches, files and skills work in it. */
  get workspace(): OwnWorkspace | null {
    const list = this.workspaces
    return list.find((one) => one.id === preferences.workspace) ?? list.find((one) => one.is_default) ?? list[0] ?? null
  }
  set workspace(workspace: OwnWorkspace | null) {
    preferences.workspace = workspace?.id ?? null
    context.workspace = this.workspace?.id ?? null
  }

  /** Whether the person may do it: in the organization, or in that workspace. */
  may(permission: Permission, workspaceId?: string | null): boolean {
    if (this.in?.permissions.includes(permission)) return true
    if (!workspaceId) return false
    return this.workspaces.some((one) => one.id === workspaceId && one.permissions.includes(permission))
  }

  /** Whether the person may do it in the organization or at least in one workspace. */
  mayAnywhere(permission: Permission): boolean {
    return this.may(permission) || this.workspaces.some((one) => one.permissions.includes(permission))
  }

  refresh = async (): Promise<void> => {
    try {
      this.#take(await get<SignedIn | SignedOut>(`${ROOT}/session`))
    } catch (error) {
      this.failure = failureOf(error)
    }
  }

  signIn = async (email: string, password: string): Promise<void> =>
    this.#take(await post<SignedIn>(`${ROOT}/session`, { email, password }))

  /** Whose one-time link it is, without using it. */
  link = (token: string) =>
    post<{ setup: boolean; email: string | null }>(`${ROOT}/session/link/check`, { token })

  claim = async (given: { token: string; name?: string; email?: string; password: string }): Promise<void> =>
    this.#take(await post<SignedIn>(`${ROOT}/session/link`, given))

  join = async (token: string, name: string, password: string): Promise<void> =>
    this.#take(await post<SignedIn>(`${ROOT}/session/invite`, { token, name, password }))

  changePassword = async (current: string, next: string): Promise<void> => {
    await post(`${ROOT}/password`, { current, new: next })
  }

  signOut = async (): Promise<void> => {
    await del(`${ROOT}/session`)
    this.ended = false
    await this.refresh()
  }

  #take(state: SignedIn | SignedOut): void {
    this.#state = state
    this.failure = null
    if (state.signed_in) this.ended = false
    context.csrf = state.signed_in ? state.csrf_token : null
    context.workspace = this.workspace?.id ?? null
  }
}

export const session = new Session()

import { ADMIN } from '$lib/api'
import { all } from '$lib/lists.svelte'

export type ApiKey = {
  id: string
  kind: 'api' | 'admin'
  name: string
  partial_key_hint: string | null
  status: 'active' | 'inactive' | 'archived' | 'expired'
  /** Null for keys that act as somebody in every workspace of theirs, and for admin keys. */
  workspace_id: string | null
  /** The user or service account it acts as. */
  principal_id: string | null
  created_by_id: string | null
  created_at: string
  expires_at: string | null
  last_used_at: string | null
  /** US dollars this month; null where the person may not see it. */
  cost: string | null
}

/** What making a key answers: the key as the Admin API has it, and its secret, this once. */
export type NewKey = { id: string; name: string; kind: string; raw_key: string }

/** Every key the person may see. */
export const readKeys = (): Promise<ApiKey[]> => all<ApiKey>(`${ADMIN}/api_keys`, {}, 10_000)

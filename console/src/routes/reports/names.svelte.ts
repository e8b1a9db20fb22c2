/** Names of what reports are grouped by. Keys that the person may not list stay ids. */

import { ADMIN } from '$lib/api'
import { directory } from '$lib/directory.svelte'
import { all } from '$lib/lists.svelte'
import { session } from '$lib/session.svelte'
import type { By } from './summary'
import { t } from './text'

type Key = { id: string; name: string }

export class Names {
  keys = $state.raw<Map<string, string>>(new Map())

  constructor() {
    directory.want()
    if (!session.mayAnywhere('api_keys:read')) return
    void all<Key>(`${ADMIN}/api_keys`)
      .then((keys) => (this.keys = new Map(keys.map((one) => [one.id, one.name]))))
      .catch(() => {})
  }

  of(by: By, key: string): string {
    if (!key) return by === 'api_key_id' ? t('console') : t('none')
    if (by === 'workspace_id') return directory.workspace(key).name
    if (by === 'actor_id') return directory.actor(key)
    if (by === 'api_key_id') return this.keys.get(key) ?? key
    return key
  }
}

import { session } from '$lib/session.svelte'
import { t as shared, type SharedKey } from '$lib/i18n'
import { t } from './text'

/** Roles that everybody who manages members gives, and those that only owners do. */
const PLAIN = ['user', 'developer', 'billing', 'claude_code_user', 'managed']
const ADMINISTRATIVE = ['membership_admin', 'admin', 'owner', 'primary_owner']

export const isPlain = (role: string) => PLAIN.includes(role)
export const roleName = (role: string) => shared(`role.${role}` as SharedKey)

export function roleOptions(withAdministrative = session.may('admins:write')) {
  return [...PLAIN, ...(withAdministrative ? ADMINISTRATIVE : [])].map((value) => ({
    value,
    label: roleName(value),
    hint: t(`hint_${value}` as Parameters<typeof t>[0]),
  }))
}

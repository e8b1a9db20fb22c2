/** Texts in the languages of the Console. A page keeps its own in routes/<page>/text.ts; what is shared is here. */

import { preferences } from '$lib/preferences.svelte'
import { en } from './en'
import { ja } from './ja'

export type Values = Record<string, string | number>

/** Texts of one language: as many keys as English has, no more and no fewer. */
export type Same<English> = { [Key in keyof English]: string }

/**
 * A function from key to text. `{name}` in a text is filled from the values, `{count|key|keys}` becomes the first word
 * for 1 and the second for all else. A text that shows a number formats it beforehand (see format.ts).
 */
export function texts<const English extends Record<string, string>>(english: English, japanese: Same<English>) {
  return (key: keyof English & string, values?: Values): string =>
    // A key that is made of a value of the server may not be there: then the value is better than nothing.
    fill((preferences.language === 'ja' ? japanese : english)[key] ?? key, values)
}

export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = values[name]
    if (value === undefined) return whole
    if (one === undefined || many === undefined) return String(value)
    return value === 1 || value === '1' ? one : many
  })
}

export const t = texts(en, ja)
export type SharedKey = keyof typeof en

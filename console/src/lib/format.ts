/** Numbers, money and times in the language of the page. Money is a decimal string and stays one. */

import { t } from './i18n'
import { preferences } from './preferences.svelte'

const locale = () => (preferences.language === 'ja' ? 'ja-JP' : 'en-US')

const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>()
function kept<F extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(name: string, make: () => F): F {
  const key = `${locale()} ${name}`
  const found = made.get(key) ?? make()
  made.set(key, found)
  return found as F
}

/** 1,234,567 */
export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  return kept(`n${digits}`, () => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits })).format(value)
}

/** 1.2M (123万 in Japanese) */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const options: Intl.NumberFormatOptions = { notation: 'compact', maximumFractionDigits: Math.abs(value) < 1 ? 2 : 1 }
  return kept(`c${options.maximumFractionDigits}`, () => new Intl.NumberFormat(locale(), options)).format(value)
}

/** 0.123 → 12.3% */
export function percent(ratio: number | null | undefined, digits = 1): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return '–'
  const options: Intl.NumberFormatOptions = { style: 'percent', maximumFractionDigits: digits }
  return kept(`p${digits}`, () => new Intl.NumberFormat(locale(), options)).format(ratio)
}

/**
 * US dollars from a decimal string. Amounts under a cent show as many places as they need (up to six). Intl takes the
 * string as it is, so nothing is rounded through a float.
 */
export function money(usd: string | null | undefined): string {
  if (usd === null || usd === undefined || usd === '') return '–'
  const small = Math.abs(Number(usd)) < 0.01 && Number(usd) !== 0
  const options: Intl.NumberFormatOptions = {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: 2,
    maximumFractionDigits: small ? 6 : 2,
  }
  // TypeScript's own types know no strings here; ECMAScript 2023 does.
  return kept(`m${small}`, () => new Intl.NumberFormat(locale(), options)).format(usd as Intl.StringNumericLiteral)
}

/** Cents as a decimal string ("1250.5") → dollars. The Admin API's amounts are cents. */
export function cents(amount: string | null | undefined): string {
  return money(amount === null || amount === undefined ? null : dollars(amount))
}

/** "1250.5" cents → "12.505" dollars, by moving the point. */
export function dollars(amount: string): string {
  const negative = amount.startsWith('-')
  const [whole = '0', rest = ''] = amount.replace('-', '').split('.')
  const digits = whole.padStart(3, '0')
  return `${negative ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}${rest}`
}

/** A decimal string as one types it: "12.500000000" → "12.50", "0.001200" → "0.0012". */
export function typed(amount: string | null | undefined): string {
  if (!amount) return ''
  const [whole = '0', rest = ''] = amount.split('.')
  const digits = rest.replace(/0+$/, '')
  return digits ? `${whole}.${digits.padEnd(2, '0')}` : whole
}

/** The sum of decimal strings, exactly. */
export function sum(amounts: Iterable<string>): string {
  const list = [...amounts]
  const places = Math.max(0, ...list.map((one) => one.split('.')[1]?.length ?? 0))
  let total = 0n
  for (const one of list) {
    const [whole = '0', rest = ''] = one.replace('-', '').split('.')
    const value = BigInt(whole + rest.padEnd(places, '0'))
    total += one.startsWith('-') ? -value : value
  }
  const text = (total < 0n ? -total : total).toString().padStart(places + 1, '0')
  const point = text.length - places
  return `${total < 0n ? '-' : ''}${text.slice(0, point)}${places ? `.${text.slice(point)}` : ''}`
}

type Moment = string | number | Date | null | undefined

/** 21 Nov 2026 */
export function date(when: Moment): string {
  return shown(when, 'd', { dateStyle: 'medium' })
}

/** 21 Nov 2026, 14:05 */
export function dateTime(when: Moment): string {
  return shown(when, 'dt', { dateStyle: 'medium', timeStyle: 'short' })
}

/** Nov 21, 14:05:09: for lists of what has just happened. */
export function second(when: Moment): string {
  return shown(when, 's', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
}

/** With seconds and the zone; for titles and details. */
export function exact(when: Moment): string {
  return shown(when, 'x', { dateStyle: 'medium', timeStyle: 'long' })
}

function shown(when: Moment, name: string, options: Intl.DateTimeFormatOptions): string {
  if (when === null || when === undefined || when === '') return '–'
  const moment = new Date(when)
  if (Number.isNaN(moment.getTime())) return '–'
  return kept(name, () => new Intl.DateTimeFormat(locale(), options)).format(moment)
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

/** 3 minutes ago, in 5 days */
export function ago(when: Moment, now = Date.now()): string {
  if (when === null || when === undefined || when === '') return t('time.never')
  const seconds = (new Date(when).getTime() - now) / 1000
  const [unit, size] = UNITS.find(([, one]) => Math.abs(seconds) >= one) ?? ['second', 1]
  if (unit === 'second') return t('time.now')
  return kept('r', () => new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' })).format(
    Math.round(seconds / size),
    unit,
  )
}

/** 1.4 MB */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3))
  return `${number(value / 1000 ** step, step === 0 ? 0 : 1)} ${units[step]}`
}

/** 850 ms, 1.2 s, 3 min 20 s */
export function duration(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return '–'
  if (milliseconds > 0 && milliseconds < 1) return '< 1 ms'
  if (milliseconds < 1000) return `${number(milliseconds)} ms`
  if (milliseconds < 60_000) return `${number(milliseconds / 1000, 1)} s`
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

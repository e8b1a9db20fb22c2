/** How uPlot is set up: colours of the theme, bars, stacks. */

import uPlot from 'uplot'
import { short } from '$lib/format'
import { preferences } from '$lib/preferences.svelte'
import type { Series } from './Chart.svelte'

export type Drawing = {
  target: HTMLElement
  times: number[]
  series: Series[]
  kind: 'line' | 'area' | 'bars'
  stack: boolean
  height: number
  format: (value: number) => string
  sync: string | undefined
  onmove: (index: number | null, left: number) => void
}

/** The data of a stack: each series is the sum of those up to it. Lines over it stay as they are. */
export function stacked(times: number[], series: Series[]): (number | null)[][] {
  const sums = times.map(() => 0)
  const columns = series.map((one) => {
    if (one.look) return one.values
    return one.values.map((value, index) => (sums[index] = (sums[index] ?? 0) + (value ?? 0)))
  })
  return [times, ...columns]
}

export function options(drawing: Drawing): uPlot.Options {
  const { target, series, height, format, sync } = drawing
  const text = color(target, '--text-3')
  const line = color(target, '--border')
  const font = '11.5px system-ui, sans-serif'
  const locale = preferences.language === 'ja' ? 'ja-JP' : 'en-US'
  const drawn = series.map((one, index) => draw(drawing, one, index))
  return {
    width: Math.max(target.clientWidth, 50),
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: drawing.kind !== 'bars', size: 7 },
      drag: { x: false, y: false },
      ...(sync ? { sync: { key: sync } } : {}),
    },
    scales: { x: { time: true, range: (_plot, first, last) => within(drawing, first, last) }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { stroke: text, font, grid: { show: false }, ticks: { stroke: line, size: 4 }, size: 30, values: times(locale), space: 72 },
      {
        stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, gap: 8, space: 40,
        size: (_plot, values) => 18 + 6.6 * Math.max(2, ...(values ?? []).map((one) => one.length)),
        values: (_plot, values) => values.map((one) => format(one)),
        // What is written short is counted, and there is no half of it.
        ...(format === short ? { incrs: WHOLE } : {}),
      },
    ],
    series: [{}, ...drawn],
    ...(drawing.stack ? { bands: bands(series, drawing.kind) } : {}),
    hooks: { setCursor: [(plot) => drawing.onmove(plot.cursor.idx ?? null, (plot.cursor.left ?? 0) + plot.bbox.left / devicePixelRatio)] },
  }
}

function draw({ target, kind, stack }: Drawing, one: Series, index: number): uPlot.Series {
  const stroke = color(target, `--series-${(((one.color ?? index + 1) - 1) % 8) + 1}`)
  const bars = kind === 'bars' && !one.look
  const made: uPlot.Series = { label: one.label, stroke, width: bars ? 0 : 1.75, points: { show: false } }
  if (bars) made.paths = uPlot.paths.bars!({ size: [0.72, 28], radius: stack ? 0 : 0.12 })
  else made.paths = uPlot.paths.linear!()
  if (bars) made.fill = stroke
  else if (kind === 'area' && !one.look) made.fill = transparent(stroke, stack ? 0.55 : 0.14)
  if (one.look === 'dashed') made.dash = [6, 4]
  return made
}

const WHOLE = Array.from({ length: 16 }, (_, power) => [1, 2, 2.5, 5].map((one) => one * 10 ** power)).flat().filter(Number.isInteger)

/** Bars stand on both sides of their time: the first and the last need half a step more. */
function within({ kind, times }: Drawing, first: number, last: number): [number, number] {
  const half = kind === 'bars' ? ((times[1] ?? 0) - (times[0] ?? 0)) / 2 : 0
  return [first - half, last + half]
}

/** Fills each series of a stack only down to the one below it. */
function bands(series: Series[], kind: Drawing['kind']): uPlot.Band[] {
  if (kind === 'line') return []
  const parts = series.map((one, index) => (one.look ? -1 : index + 1)).filter((index) => index > 0)
  return parts.slice(1).map((index, below) => ({ series: [index, parts[below] ?? 1] as [number, number] }))
}

function times(locale: string): uPlot.Axis.DynamicValues {
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hour12: false })
  const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' })
  return (_plot, splits, _axis, _space, step) =>
    splits.map((seconds) => {
      const moment = new Date(seconds * 1000)
      const midnight = moment.getHours() === 0 && moment.getMinutes() === 0
      return step >= 86_400 || midnight ? day.format(moment) : clock.format(moment)
    })
}

/** A custom property as the canvas understands it, with light or dark decided. */
function color(target: HTMLElement, property: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${property})`
  target.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

function transparent(rgb: string, alpha: number): string {
  return rgb.replace('rgb(', 'rgba(').replace(')', `, ${alpha})`)
}

/** Test cases of a prompt: values of its variables, what would be right, and what the models answered. */

import { get, put, ROOT } from '$lib/api'
import { type Json, withoutThinking } from './request'
import { Run } from './run.svelte'
import type { Workbench } from './workbench.svelte'

export type Outcome = { output: string; grade: number | null; stop_reason: string | null; error: string | null }
export type TestCase = { id: string; variables: Record<string, string>; ideal: string | null }
type KeptResult = { test_case_id: string; model: string } & Outcome

/** Requests that run at once. */
const AT_ONCE = 4
export const MOST_CASES = 500

export class Evaluation {
  cases = $state<TestCase[]>([])
  /** By case and model. */
  outcomes = $state<Record<string, Outcome>>({})
  running = $state<Record<string, boolean>>({})
  done = $state(0)
  all = $state(0)

  #bench: Workbench
  #stopped = false
  #runs = new Set<Run>()

  constructor(bench: Workbench) {
    this.#bench = bench
  }

  get busy(): boolean {
    return Object.values(this.running).some(Boolean)
  }

  /** Models that are asked, and those whose answers are there from before. */
  get models(): string[] {
    const answered = Object.keys(this.outcomes).map((name) => modelOf(name))
    return [...new Set([...this.#asked, ...answered])]
  }
  get #asked(): string[] {
    const { draft, rival } = this.#bench
    return rival && rival !== draft.model ? [draft.model, rival] : [draft.model]
  }

  outcome(test: TestCase, model: string): Outcome | undefined {
    return this.outcomes[key(test, model)]
  }
  isRunning(test: TestCase, model: string): boolean {
    return this.running[key(test, model)] === true
  }

  /** The mean grade of a model, and of how many answers. */
  grade(model: string): { mean: number; count: number } | null {
    const grades = this.cases.flatMap((test) => this.outcome(test, model)?.grade ?? [])
    return grades.length ? { mean: grades.reduce((a, b) => a + b, 0) / grades.length, count: grades.length } : null
  }

  /** Texts that are the ideal answer, or hold it, are counted by themselves. */
  matches(model: string): { right: number; count: number } | null {
    const told = this.cases.filter((test) => test.ideal?.trim() && this.outcome(test, model))
    if (!told.length) return null
    return { right: told.filter((test) => this.outcome(test, model)?.output.includes(test.ideal?.trim() ?? '')).length, count: told.length }
  }

  add(variables: Record<string, string> = {}, ideal: string | null = null): void {
    if (this.cases.length < MOST_CASES) this.cases.push({ id: newId(), variables, ideal })
  }

  remove(test: TestCase): void {
    this.cases = this.cases.filter((one) => one.id !== test.id)
    for (const name of Object.keys(this.outcomes)) if (name.startsWith(`${test.id} `)) delete this.outcomes[name]
  }

  setGrade(test: TestCase, model: string, grade: number | null): void {
    const outcome = this.outcomes[key(test, model)]
    if (outcome) outcome.grade = grade
  }

  load = async (promptId: string): Promise<void> => {
    const [cases, results] = await Promise.all([
      get<{ data: TestCase[] }>(`${ROOT}/prompts/${promptId}/test_cases`),
      get<{ data: KeptResult[] }>(`${ROOT}/prompts/${promptId}/results`),
    ])
    this.cases = cases.data.map(({ id, variables, ideal }) => ({ id, variables, ideal }))
    this.outcomes = Object.fromEntries(results.data.map(({ test_case_id, model, ...outcome }) => [`${test_case_id} ${model}`, outcome]))
  }

  save = async (promptId: string): Promise<void> => {
    const data = this.cases.map(({ id, variables, ideal }) => ({ id, variables: { ...variables }, ideal }))
    await put(`${ROOT}/prompts/${promptId}/test_cases`, { data })
    const results: KeptResult[] = Object.entries(this.outcomes).map(([name, outcome]) => {
      const [test_case_id = ''] = name.split(' ', 1)
      return { test_case_id, model: modelOf(name), ...outcome }
    })
    await put(`${ROOT}/prompts/${promptId}/results`, { data: results })
  }

  /** Runs these cases, a few at once, on each model. */
  run = async (cases: TestCase[] = this.cases): Promise<void> => {
    this.#stopped = false
    const work = cases.flatMap((test) => this.#asked.map((model) => ({ test, model })))
    this.done = 0
    this.all = work.length
    for (const { test, model } of work) this.running[key(test, model)] = true
    const next = work.values()
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const { test, model } of next) {
          if (!this.#stopped) await this.#one(test, model)
          this.running[key(test, model)] = false
          this.done += 1
        }
      }),
    )
  }

  stop = (): void => {
    this.#stopped = true
    for (const run of this.#runs) run.stop()
  }

  async #one(test: TestCase, model: string): Promise<void> {
    const run = new Run()
    this.#runs.add(run)
    const sent = this.#bench.sent({ ...this.#bench.values, ...test.variables }, model)
    await run.start({ ...sent, request: withoutThinking(sent.request) })
    this.#runs.delete(run)
    if (run.state === 'stopped') return
    const output = run.answer.blocks.map((block) => said(block)).filter(Boolean).join('\n\n')
    const error = run.failure ? `${run.failure.message} (${run.failure.requestId ?? run.failure.type})` : null
    this.outcomes[key(test, model)] = { output, grade: null, stop_reason: run.answer.stop_reason, error }
  }
}

/** Without TLS browsers have no `crypto.randomUUID`. */
function newId(): string {
  return `case_${[...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

const key = (test: TestCase, model: string) => `${test.id} ${model}`
const modelOf = (name: string) => name.slice(name.indexOf(' ') + 1)

function said(block: { type: string; [name: string]: Json }): string {
  if (block.type === 'text') return String(block['text'] ?? '')
  if (block.type === 'tool_use') return `${String(block['name'])}(${JSON.stringify(block['input'])})`
  return ''
}

/** What the Workbench holds: a draft, the values of its variables, the saved prompt behind it, and its runs. */

import { get, post, ROOT, V1 } from '$lib/api'
import { all } from '$lib/lists.svelte'
import { session } from '$lib/session.svelte'
import { take } from './handed'
import { type Draft, filled, fromRequest, isObject, type JsonObject, newDraft, toRequest, turn, variablesOf } from './request'
import { Run, type Sent } from './run.svelte'

export type Model = {
  id: string
  display_name: string
  max_input_tokens: number | null
  max_tokens: number | null
  capabilities?: JsonObject | null
}
export type Prompt = { id: string; name: string; workspace_id: string; updated_at: string; latest_version: number }
export type Version = {
  version: number
  created_at: string
  request: JsonObject
  variables: Record<string, string>
}

const KEPT = 'understudy.workbench'
const DEFAULT_MODEL = 'claude-sonnet-5-5'

export class Workbench {
  draft = $state<Draft>(newDraft())
  values = $state<Record<string, string>>({})
  /** Another model that answers the same, or none. */
  rival = $state('')
  prompt = $state.raw<Prompt | null>(null)
  version = $state<number | null>(null)
  models = $state.raw<Model[]>([])
  readonly runs = [new Run(), new Run()] as const

  #saved = $state('')

  readonly variables = $derived(variablesOf(this.draft))
  readonly running = $derived(this.runs.some((run) => run.state === 'running'))
  readonly dirty = $derived(this.#text() !== this.#saved)

  constructor() {
    this.#restore()
  }

  model(id = this.draft.model): Model | undefined {
    return this.models.find((one) => one.id === id)
  }

  /** A leaf of the model's capabilities, such as `effort.low`; true where the model does not tell. */
  can(path: string, id = this.draft.model): boolean {
    let at: unknown = this.model(id)?.capabilities
    for (const part of path.split('.')) at = isObject(at) ? at[part] : undefined
    return isObject(at) ? at['supported'] !== false : true
  }

  /** The names below a capability that the model has: levels of effort, kinds of thinking. */
  kinds(path: string): string[] {
    let at: unknown = this.model()?.capabilities
    for (const part of path.split('.')) at = isObject(at) ? at[part] : undefined
    if (!isObject(at)) return []
    return Object.entries(at).flatMap(([name, one]) => (isObject(one) && one['supported'] === true ? [name] : []))
  }

  loadModels = async (): Promise<void> => {
    this.models = await all<Model>(`${V1}/models`)
    if (!this.draft.model) {
      this.draft.model = (this.models.find((one) => one.id === DEFAULT_MODEL) ?? this.models[0])?.id ?? ''
      if (!this.prompt) this.#keepSaved()
    }
  }

  /** The request as it is sent: variables filled in. Throws DraftError. */
  sent(values: Record<string, string> = this.values, model = this.draft.model): Sent {
    const draft = $state.snapshot<unknown>(this.draft) as Draft
    const request = filled(toRequest({ ...draft, model }), values)
    return { request, betas: draft.betas, version: draft.version }
  }

  run = (): void => {
    const [own, other] = this.runs
    void own.start(this.sent())
    if (this.rival) void other.start(this.sent(this.values, this.rival))
  }

  stop = (): void => this.runs.forEach((run) => run.stop())

  /** Takes an answer into the conversation, and what comes after it, if anything does. */
  goOn(run: Run, next: JsonObject[] | null): void {
    const blocks = run.answer.blocks
    this.draft.turns.push(turn('assistant', blocks.map((one) => ({ ...one }))))
    if (next) this.draft.turns.push(turn('user', next as Draft['turns'][0]['blocks']))
  }

  fresh = (): void => {
    this.stop()
    this.draft = newDraft(this.draft.model)
    this.values = {}
    this.prompt = null
    this.version = null
    this.#keepSaved()
  }

  open = async (id: string, version?: number): Promise<void> => {
    const prompt = await get<Prompt>(`${ROOT}/prompts/${id}`)
    const found = await get<Version>(`${ROOT}/prompts/${id}/versions/${version ?? prompt.latest_version}`)
    this.stop()
    this.prompt = prompt
    this.version = found.version
    this.draft = unpacked(found.request)
    this.values = { ...found.variables }
    this.#keepSaved()
  }

  /** As a new prompt of that name, or as the next version of the one that is open. */
  save = async (name?: string): Promise<void> => {
    const body = { request: this.#packed(), variables: this.#used() }
    if (name !== undefined || !this.prompt) {
      const workspace_id = session.workspace?.id
      this.prompt = await post<Prompt>(`${ROOT}/prompts`, { name, ...body }, { query: { workspace_id } })
      this.version = this.prompt.latest_version
    } else {
      const made = await post<Version>(`${ROOT}/prompts/${this.prompt.id}/versions`, body)
      this.prompt = { ...this.prompt, latest_version: made.version }
      this.version = made.version
    }
    this.#keepSaved()
  }

  renamed(prompt: Prompt | null): void {
    this.prompt = prompt
    if (!prompt) this.version = null
  }

  paste(request: JsonObject): void {
    this.prompt = null
    this.version = null
    this.draft = fromRequest(request, this.draft)
  }

  /** So that a reload of the page loses nothing. */
  keep(): void {
    const kept = { packed: this.#packed(), values: this.values, rival: this.rival, prompt: this.prompt, version: this.version }
    try {
      localStorage.setItem(KEPT, JSON.stringify({ ...kept, saved: this.#saved }))
    } catch {
      // Files may be too large for what a browser keeps.
      localStorage.removeItem(KEPT)
    }
  }

  #restore(): void {
    try {
      const handed = take()
      if (handed) {
        this.draft = fromRequest(JSON.parse(handed) as JsonObject)
        return
      }
      const kept = JSON.parse(localStorage.getItem(KEPT) ?? 'null') as JsonObject | null
      if (!kept || !isObject(kept['packed'])) return
      this.draft = unpacked(kept['packed'])
      this.values = (kept['values'] ?? {}) as Record<string, string>
      this.rival = String(kept['rival'] ?? '')
      const prompt = kept['prompt'] as unknown as Prompt | null
      if (prompt && session.workspaces.some((one) => one.id === prompt.workspace_id)) {
        this.prompt = prompt
        this.version = kept['version'] as number | null
      }
      this.#saved = String(kept['saved'] ?? '')
    } catch {
      this.draft = newDraft()
    }
  }

  #used(): Record<string, string> {
    return Object.fromEntries(this.variables.map((name) => [name, this.values[name] ?? '']))
  }

  /** The request, and beside it what belongs to no request. */
  #packed(): JsonObject {
    const { version, betas, ...draft } = $state.snapshot<unknown>(this.draft) as Draft
    return { ...toRequest({ ...draft, version, betas }), understudy: { version, betas } }
  }

  #keepSaved(): void {
    this.#saved = this.#text()
  }

  /** All that a version holds, to compare by; nothing while some JSON is not whole. */
  #text(): string {
    try {
      return JSON.stringify([this.#packed(), this.#used()])
    } catch {
      return ''
    }
  }
}

function unpacked(packed: JsonObject): Draft {
  const { understudy, ...request } = packed
  const draft = fromRequest(request)
  if (isObject(understudy)) {
    if (understudy['version'] === '2023-06-01') draft.version = '2023-06-01'
    if (Array.isArray(understudy['betas'])) draft.betas = understudy['betas'].map(String)
  }
  return draft
}

import { failureOf } from './api'

export type Toast = { id: number; tone: 'good' | 'bad' | 'info'; text: string; requestId: string | null }

class Toasts {
  list = $state<Toast[]>([])
  #last = 0

  good = (text: string): void => this.#add('good', text, null, 5000)
  info = (text: string): void => this.#add('info', text, null, 5000)
  /** A text, or whatever was thrown. Stays long enough to copy the request id. */
  bad = (what: unknown): void => {
    const failure = typeof what === 'string' ? null : failureOf(what)
    this.#add('bad', failure ? failure.message : String(what), failure?.requestId ?? null, 15_000)
  }
  dismiss = (id: number): void => {
    this.list = this.list.filter((one) => one.id !== id)
  }

  #add(tone: Toast['tone'], text: string, requestId: string | null, milliseconds: number): void {
    const id = ++this.#last
    this.list = [...this.list.slice(-3), { id, tone, text, requestId }]
    setTimeout(() => this.dismiss(id), milliseconds)
  }
}

export const toast = new Toasts()

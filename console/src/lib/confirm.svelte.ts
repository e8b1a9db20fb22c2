export type Question = {
  title: string
  text: string
  /** What the button says: the verb of the act. */
  action: string
  danger?: boolean
  /** A word that must be typed before the act is allowed; for what cannot be undone. */
  type?: string
}

class Confirming {
  question = $state.raw<Question | null>(null)
  #answer: ((yes: boolean) => void) | null = null

  ask = (question: Question): Promise<boolean> => {
    this.answer(false)
    this.question = question
    return new Promise((resolve) => (this.#answer = resolve))
  }

  answer = (yes: boolean): void => {
    this.#answer?.(yes)
    this.#answer = null
    this.question = null
  }
}

export const confirming = new Confirming()

/** Asks before an act: `if (!(await confirm({...}))) return`. */
export const confirm = confirming.ask

import { type ApiFailure, failureOf } from './api'

/** What a form sends: whether it is under way, and why it failed. */
export class Sending {
  busy = $state(false)
  failure = $state.raw<ApiFailure | null>(null)

  run = async (work: () => Promise<unknown>): Promise<void> => {
    if (this.busy) return
    this.busy = true
    this.failure = null
    try {
      await work()
    } catch (error) {
      this.failure = failureOf(error)
    }
    this.busy = false
  }
}

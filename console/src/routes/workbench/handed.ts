/** A request that another page hands to the Workbench. */

const PLACE = 'understudy.workbench.open'

/** Throws where the browser keeps nothing, or not so much. */
export function hand(request: unknown): void {
  sessionStorage.setItem(PLACE, typeof request === 'string' ? request : JSON.stringify(request))
}

/** What was handed over, once; null where there is nothing. */
export function take(): string | null {
  const given = sessionStorage.getItem(PLACE)
  sessionStorage.removeItem(PLACE)
  return given
}

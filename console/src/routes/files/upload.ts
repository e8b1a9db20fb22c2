import { API_VERSION, ApiFailure, sessionHeaders } from '$lib/api'

/** Sends a form and tells how many of its bytes are gone; `fetch` tells nothing of that. */
export function upload<T>(path: string, form: FormData, onsent: (bytes: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', path)
    const headers = { ...sessionHeaders(), 'anthropic-version': API_VERSION }
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = (event) => onsent(event.loaded)
    request.onerror = () => reject(new ApiFailure(0, 'network', 'The server does not answer.'))
    request.onload = () => {
      const body = parsed(request.responseText)
      if (request.status < 300) return resolve(body as T)
      const told = body as { error?: { type?: string; message?: string }; request_id?: string } | null
      const message = told?.error?.message ?? `The server answered ${request.status}.`
      reject(new ApiFailure(request.status, told?.error?.type ?? 'api_error', message, told?.request_id ?? request.getResponseHeader('request-id')))
    }
    request.send(form)
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

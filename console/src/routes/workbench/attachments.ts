/** Files from the person's machine, as blocks of a message. */

import { post, V1 } from '$lib/api'
import type { Block } from './request'

const IMAGES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']
const TEXTS = /^(text\/|application\/(json|xml|x-yaml|yaml|javascript|x-sh)$)/
const TEXT_NAMES = /\.(txt|md|csv|tsv|json|ya?ml|xml|html?|css|js|ts|py|rb|go|rs|java|c|h|cpp|cs|php|sh|sql|log|toml|ini)$/i

/** Bytes of a file that goes into a request as base64: a request has at most 32 MB. */
export const MOST_BYTES = 22_000_000

export class TooLargeError extends Error {}

/** Images, PDFs and texts stand in the message itself; all else is uploaded and given to the container. */
export async function blockOf(file: File): Promise<Block> {
  if (IMAGES.includes(file.type)) {
    return { type: 'image', source: { type: 'base64', media_type: file.type, data: await base64(file) } }
  }
  if (file.type === 'application/pdf') {
    const source = { type: 'base64', media_type: file.type, data: await base64(file) }
    return { type: 'document', source, title: file.name }
  }
  if (TEXTS.test(file.type) || TEXT_NAMES.test(file.name)) {
    if (file.size > MOST_BYTES) throw new TooLargeError(file.name)
    const source = { type: 'text', media_type: 'text/plain', data: await file.text() }
    return { type: 'document', source, title: file.name }
  }
  const form = new FormData()
  form.append('file', file, file.name)
  const uploaded = await post<{ id: string }>(`${V1}/files`, form)
  return { type: 'container_upload', file_id: uploaded.id }
}

async function base64(file: File): Promise<string> {
  if (file.size > MOST_BYTES) throw new TooLargeError(file.name)
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result).split(',', 2)[1] ?? '')
    reader.onerror = () => reject(reader.error ?? new Error(file.name))
    reader.readAsDataURL(file)
  })
}

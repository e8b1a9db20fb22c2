export type Counts = { processing: number; succeeded: number; errored: number; canceled: number; expired: number }
export type Batch = {
  id: string
  processing_status: 'in_progress' | 'canceling' | 'ended'
  request_counts: Counts
  created_at: string
  expires_at: string
  ended_at: string | null
  archived_at: string | null
  cancel_initiated_at: string | null
  results_url: string | null
}
export type Line = {
  custom_id: string
  result: { type: 'succeeded' | 'errored' | 'canceled' | 'expired'; message?: unknown; error?: { error?: { type?: string; message?: string } } }
}

export const OUTCOMES = ['succeeded', 'errored', 'canceled', 'expired'] as const

export const size = (counts: Counts) => counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
export const answered = (counts: Counts) => size(counts) - counts.processing
export const tone = (batch: Batch) => (batch.processing_status === 'ended' ? 'good' : batch.processing_status === 'canceling' ? 'warn' : 'info')

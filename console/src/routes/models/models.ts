type Supported = { supported: boolean }
export type Model = {
  id: string
  display_name: string
  max_input_tokens: number | null
  max_tokens: number | null
  lifecycle: string | null
  capabilities: Record<string, Supported | undefined> | null
}
export type Engine = {
  name: string
  kind: string
  state: string
  /** From 0 to 1 while a model is read; null where that is not known. */
  load_progress: number | null
  error: string | null
  requests: { running: number; waiting: number }
  models: { id: string; upstream_model: string; weight: number; health: string }[]
}

const TOLD = ['thinking', 'effort', 'image_input', 'pdf_input', 'citations', 'structured_outputs', 'code_execution', 'batch'] as const
export type Ability = (typeof TOLD)[number]

export const abilities = (model: Model): Ability[] => TOLD.filter((name) => model.capabilities?.[name]?.supported)

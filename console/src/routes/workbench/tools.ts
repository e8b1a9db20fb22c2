/** Tools that the API itself defines, newest first, as they are put into a request. */

import type { JsonObject } from './request'

export const CUSTOM: JsonObject = {
  name: 'get_weather',
  description: 'The weather of a city today.',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string', description: 'Name of the city' } },
    required: ['city'],
  },
}

export const DEFINED: { group: 'run_here' | 'run_by_you'; tool: JsonObject }[] = [
  { group: 'run_here', tool: { type: 'web_search_20250305', name: 'web_search', max_uses: 5 } },
  { group: 'run_here', tool: { type: 'web_fetch_20250910', name: 'web_fetch', max_uses: 5, citations: { enabled: true } } },
  { group: 'run_here', tool: { type: 'code_execution_20250825', name: 'code_execution' } },
  { group: 'run_here', tool: { type: 'tool_search_tool_bm25_20251119', name: 'tool_search_tool_bm25' } },
  { group: 'run_by_you', tool: { type: 'bash_20250124', name: 'bash' } },
  { group: 'run_by_you', tool: { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool' } },
  { group: 'run_by_you', tool: { type: 'memory_20250818', name: 'memory' } },
]

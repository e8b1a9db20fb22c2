export type Skill = {
  id: string
  display_name: string
  latest_version_id: string
  source: { type: 'custom' | 'anthropic' }
  created_at: string
  updated_at: string
}
export type SkillVersion = { id: string; name: string; description: string; skill_id: string; created_at: string }

/** A form of the files of a skill: the paths of a folder, or one zip. */
export function formOf(files: File[], name?: string): FormData {
  const form = new FormData()
  if (name) form.append('display_name', name)
  for (const file of files) form.append('files[]', file, file.webkitRelativePath || file.name)
  return form
}

/** What this browser remembers: theme, language, and the workspace of last time. Holds nothing secret. */

export type Theme = 'system' | 'light' | 'dark'
export type Language = 'en' | 'ja'


type Kept = { theme: Theme; language: Language; workspace: string | null }

const KEY = 'understudy.preferences'

function read(): Kept {
  const first: Kept = {
    theme: 'system',
    language: navigator.language.toLowerCase().startsWith('ja') ? 'ja' : 'en',
    workspace: null,
  }
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Kept>
    return {
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'system',
      language: kept.language === 'en' || kept.language === 'ja' ? kept.language : first.language,
      workspace: typeof kept.workspace === 'string' ? kept.workspace : null,
    }
  } catch {
    return first
  }
}

const systemDark = matchMedia('(prefers-color-scheme: dark)')

class Preferences {
  #kept = $state<Kept>(read())
  #systemDark = $state(systemDark.matches)

  constructor() {
    systemDark.addEventListener('change', (event) => (this.#systemDark = event.matches))
    document.documentElement.lang = this.#kept.language
  }

  get theme(): Theme {
    return this.#kept.theme
  }
  set theme(theme: Theme) {
    this.#kept.theme = theme
    if (theme === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme
    this.#keep()
  }

  /** Whether the page is dark now, whatever decides it. Charts draw anew when it changes. */
  get dark(): boolean {
    return this.#kept.theme === 'dark' || (this.#kept.theme === 'system' && this.#systemDark)
  }

  get language(): Language {
    return this.#kept.language
  }
  set language(language: Language) {
    this.#kept.language = language
    document.documentElement.lang = language
    this.#keep()
  }

  get workspace(): string | null {
    return this.#kept.workspace
  }
  set workspace(id: string | null) {
    this.#kept.workspace = id
    this.#keep()
  }

  #keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#kept))
    } catch {
      // Storage may be shut off; then the choice holds until the page is left.
    }
  }
}

export const preferences = new Preferences()

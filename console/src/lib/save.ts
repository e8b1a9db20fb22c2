import { ask } from './api'
import { download } from './csv'

/** Saves what a route answers as a file. A link cannot: it would send neither version nor workspace. */
export async function save(path: string, name: string): Promise<void> {
  download(name, await (await ask('GET', path)).blob())
}

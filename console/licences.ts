import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vite'

/** Writes licences.txt: the licence of each package whose code is in the build, as these licences ask for. */
export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const packages = new Set<string>()
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        for (const id of chunk.moduleIds) {
          const found = packageOf(id)
          if (found) packages.add(found)
        }
      }
      const texts = [...packages].sort().map(describe)
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join(`\n${'-'.repeat(80)}\n\n`) })
    },
  }
}

function packageOf(moduleId: string): string | undefined {
  const path = moduleId.replace(/^\0/, '').split('?')[0] ?? ''
  if (!path.includes('/node_modules/')) return undefined
  for (let folder = dirname(path); folder.includes('/node_modules/'); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && 'version' in read(manifest)) return folder
  }
  return undefined
}

function describe(folder: string): string {
  const { name, version, license } = read(join(folder, 'package.json'))
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
  if (!license && !file) throw new Error(`${name} names no licence`)
  const text = file ? readFileSync(join(folder, file), 'utf8') : ''
  return `${name} ${version}${license ? ` (${license})` : ''}\n\n${text}`
}

function read(manifest: string): { name?: string; version?: string; license?: string } {
  return JSON.parse(readFileSync(manifest, 'utf8'))
}

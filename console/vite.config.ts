import { svelte } from '@sveltejs/vite-plugin-svelte'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { licences } from './licences.ts'

export default defineConfig({
  base: '/console/',
  plugins: [svelte(), licences()],
  resolve: { alias: { $lib: fileURLToPath(new URL('./src/lib', import.meta.url)) } },
  build: {
    outDir: 'dist',
    target: 'es2023',
    // The content security policy knows no data: fonts or scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Icons and helpers that pages share would be a chunk each, and a request each.
          groups: [{ name: 'shared', test: /@lucide|src\/lib\/(?!markdown|components\/([Cc]hart|Markdown))/ }],
        },
      },
    },
  },
})

/** Builds the page to dist/renderer. Relative base, because the shell serves it from app:// and browser mode from any prefix. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { licencesPlugin } from '../build/licences.mjs';

const here = import.meta.dirname;

export default defineConfig({
  root: here,
  base: './',
  plugins: [svelte({ configFile: false, compilerOptions: { modernAst: true } }), licencesPlugin()],
  build: {
    outDir: `${here}/../dist/renderer`,
    emptyOutDir: true,
    // The runtime of the desktop tests is Electron 25 (architecture.md section 10).
    target: 'chrome114',
    // Inline data: URLs would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
});

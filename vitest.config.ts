import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { END_TO_END_FILES } from './test/support/endToEndFiles.ts';

export default defineConfig({
  // For the page's state classes (*.svelte.ts); their tests ask for the environment test/support/pageEnvironment.ts.
  plugins: [svelte({ configFile: false })],
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/stress/**', ...END_TO_END_FILES],
    globalSetup: ['test/support/globalSetup.ts'],
    setupFiles: ['test/support/propertySeed.ts'],
    // Worker processes, because the native library keeps its threads and memory until a process ends.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/support/plainSummary.ts'],
  },
});

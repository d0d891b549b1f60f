import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // For the page's state classes (*.svelte.ts); their tests ask for the environment test/support/pageEnvironment.ts.
  plugins: [svelte({ configFile: false })],
  test: {
    include: ['test/**/*.test.ts'],
    // The desktop app in a real Electron, the page in a real browser and live runs in real trainer processes are test:e2e.
    exclude: [
      'test/e2e/**',
      'test/stress/**',
      'test/electron/desktop.test.ts',
      'test/electron/packaged.test.ts',
      'test/electron/start.test.ts',
      'test/electron/security.test.ts',
      'test/electron/everyday.test.ts',
      'test/host/liveRun.test.ts',
    ],
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

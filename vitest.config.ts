import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'test/stress/**'],
    globalSetup: ['test/support/globalSetup.ts'],
    // Worker processes, because the native library keeps its threads and memory until a process ends.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/support/plainSummary.ts'],
  },
});

/** The long forms of reliability.md, one file at a time: `npm run test:stress`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/stress/**/*.test.ts'],
    globalSetup: ['test/support/globalSetup.ts'],
    setupFiles: ['test/support/propertySeed.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 1_200_000,
    hookTimeout: 120_000,
    reporters: ['verbose', './test/support/plainSummary.ts'],
  },
});

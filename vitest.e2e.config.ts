import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/e2e/**/*.test.ts',
      'test/electron/deaths.test.ts',
      'test/electron/desktop.test.ts',
      'test/electron/everyday.test.ts',
      'test/electron/packaged.test.ts',
      'test/electron/start.test.ts',
      'test/electron/security.test.ts',
      'test/host/liveRun.test.ts',
    ],
    globalSetup: ['test/support/globalSetup.ts', 'test/e2e/support/pageSetup.ts'],
    // One browser at a time.
    fileParallelism: false,
    testTimeout: 150_000,
    // A page, an engine and a browser share two cores with whatever else runs.
    expect: { poll: { timeout: 30_000, interval: 100 } },
    hookTimeout: 180_000,
    reporters: ['default', './test/support/plainSummary.ts'],
  },
});

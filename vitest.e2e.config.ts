import { defineConfig } from 'vitest/config';
import { END_TO_END_FILES } from './test/support/endToEndFiles.ts';

export default defineConfig({
  test: {
    include: END_TO_END_FILES,
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

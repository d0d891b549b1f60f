/** Ends the suite with the one plain line that scripts read: `N passed, N failed, N skipped`; skipped tests name their reason. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';

// biome-ignore lint/style/noDefaultExport: vitest loads a reporter from the default export
export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const skipped: TestCase[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state]++;
        if (state === 'skipped') skipped.push(test);
      }
      if (module.errors().length > 0) count.failed++;
      // A hook that failed, with all tests passed.
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) count.failed++;
    }
    for (const test of skipped) console.log(`skipped: ${test.fullName}`);
    console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}

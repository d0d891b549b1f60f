/** Lets vitest compile the page's modules for a browser, runes and all, without a document: state classes need none. */
import type { Environment } from 'vitest/runtime';

const pageEnvironment: Environment = {
  name: 'page',
  viteEnvironment: 'client',
  setup: () => ({ teardown() {} }),
};

// biome-ignore lint/style/noDefaultExport: vitest loads an environment from the default export
export default pageEnvironment;

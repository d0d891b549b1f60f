#!/usr/bin/env node
/** `npx prelora …` from a checkout: brings dist/ up to date when it is older than the sources, then hands over to main/cli. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
if (existsSync(path.join(root, 'main', 'cli'))) {
  const { transpile } = await import('./transpile.mjs');
  await transpile();
}
const { main } = await import('../dist/main/cli/prelora.js');
process.exitCode = await main(process.argv.slice(2));

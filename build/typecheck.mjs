#!/usr/bin/env node
/** `npm run typecheck`: every tsconfig by itself, because each shows its part of the tree only what that part may use (style.md section 3). */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from './transpile.mjs';

const bin = (name) => path.join(root, 'node_modules', name);
const typescript = [bin('typescript/bin/tsc'), '-p'];
const checks = [
  ['.', typescript],
  ['main', typescript],
  ['main/core', typescript],
  ['electron', typescript],
  ['electron/tsconfig.preload.json', typescript],
  ['test', typescript],
  ['test/renderer', typescript],
  ['test/electron', typescript],
  ['test/e2e', typescript],
  ['renderer', [bin('svelte-check/bin/svelte-check'), '--fail-on-warnings', '--output', 'human', '--tsconfig']],
];

let failed = 0;
for (const [folder, command] of checks) {
  const config = path.join(root, folder.endsWith('.json') ? folder : path.join(folder, 'tsconfig.json'));
  if (!existsSync(config)) continue;
  const { status } = spawnSync(process.execPath, [...command, config], { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'types fit ' : 'type error'}  ${folder}`);
  if (status !== 0) failed++;
}
process.exitCode = failed > 0 ? 1 : 0;

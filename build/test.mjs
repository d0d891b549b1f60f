#!/usr/bin/env node
/**
 * `npm test`: gets the native engine once, with progress, and runs vitest in an environment in which the engine is at its best. Without an
 * engine the tests that need one are skipped aloud. PRELORA_SKIP_ENGINE=1 does not look for one. Arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root, transpile } from './transpile.mjs';

await transpile();
const { ensureEngine } = await import('../dist/main/engine/ensure.js');
const { nativeEnvironment } = await import('../dist/main/engine/environment.js');
const { progressPrinter } = await import('../dist/main/engine/progressLines.js');

const { engine, why } = await ensureEngine({ onProgress: progressPrinter(process.stderr) });
if (engine) console.error(`engine: tensorflow ${engine.manifest.version} ${engine.manifest.variant} in ${engine.folder}`);
else console.error(`engine: none, so tests that need it are skipped: ${why}`);

const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
const env = { ...process.env, ...nativeEnvironment({ threads: 2, xla: false, engine }) };
const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit', env });
process.exitCode = status ?? 1;

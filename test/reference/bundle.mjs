/**
 * Makes test/fixtures/bundle/bundle-v1.zip, which must open for ever: a run of the smallest ViT through all phases on a copy of the shipped
 * sample, bundled with its best checkpoint by the program of version 1 of the format. Made once, with
 *   npm run build -- && node test/reference/bundle.mjs
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { transpile } from '../../build/transpile.mjs';

await transpile();
const { writeBundle } = await import('../../dist/main/store/bundleWriting.js');
const root = path.resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(path.join(tmpdir(), 'prelora-golden-'));
const data = path.join(folder, 'home', 'flowers');
cpSync(path.join(root, 'resources', 'sample-fashion-mnist'), data, { recursive: true });
const settings = {
  model: { size: 'custom', imageSize: 8, patchSize: 8, embedDim: 8, depth: 1, numHeads: 1, mlpRatio: 1 },
  data: { source: data, maxTrain: 24, maxVal: 20, crop: 'none', workers: 0 },
  train: { epochs: 3, batchSize: 8, lrWarmupSteps: 0, lr: 0.01, checkpointEvery: '1ep' },
  prelora: { snapshotEvery: 1, windowSize: 2, minStep: 0, tau: 100, zeta: 100, rMin: 1, rMax: 2, jointSteps: 3, lrRampSteps: 0 },
  engine: { backend: 'cpu' },
};
const sets = Object.entries(settings).flatMap(([section, fields]) =>
  Object.entries(fields).flatMap(([name, value]) => ['--set', `${section}.${name}=${value}`]),
);
const run = path.join(folder, 'run');
execFileSync(process.execPath, [path.join(root, 'build', 'prelora.mjs'), 'train', '--set', 'name=golden', ...sets, '--out', run], {
  stdio: 'inherit',
});
const file = path.join(root, 'test', 'fixtures', 'bundle', 'bundle-v1.zip');
rmSync(file, { force: true });
console.log(await writeBundle(run, file, { weights: 'best' }));
rmSync(folder, { recursive: true });

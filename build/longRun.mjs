/**
 * A run folder as 100,000 steps leave it: 12 layers with 6 families, snapshots, epochs. Grown from a real run of a few steps, so that config,
 * journal and checkpoints are the program's own; only the records are made up.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './transpile.mjs';

const SEED_RUN = ['--preset', 'smoke', '--backend', 'wasm', '--set', 'name=long', '--set', 'model.depth=12', '--set', 'train.epochs=1'];

/** Makes the folder `dir`; it must not be there. */
export function makeLongRun(dir, { steps = 100_000, snapshotEvery = 100, stepsPerEpoch = 1000 } = {}) {
  execFileSync(process.execPath, [path.join(root, 'build', 'prelora.mjs'), 'train', ...SEED_RUN, '--out', dir], { stdio: 'ignore' });
  const last = (name) => JSON.parse(readFileSync(path.join(dir, name), 'utf8').trim().split('\n').at(-1));
  const [metrics, snapshot, epoch] = ['metrics.jsonl', 'snapshots.jsonl', 'epochs.jsonl'].map(last);
  const falling = (step) => 2.3 * Math.exp(-step / 30_000) + 0.1 * Math.abs(Math.sin(step * 12.9898));
  const lines = (every, make) => {
    const made = Array.from({ length: Math.floor(steps / every) }, (_, i) => (i + 1) * every);
    return `${made.map((step) => JSON.stringify({ ...make(step), step, epoch: step / stepsPerEpoch })).join('\n')}\n`;
  };
  writeFileSync(
    path.join(dir, 'metrics.jsonl'),
    lines(1, (step) => ({ ...metrics, loss: falling(step) })),
  );
  writeFileSync(
    path.join(dir, 'epochs.jsonl'),
    lines(stepsPerEpoch, (step) => ({ ...epoch, trainLoss: falling(step), valLoss: falling(step) })),
  );
  writeFileSync(
    path.join(dir, 'snapshots.jsonl'),
    lines(snapshotEvery, (step) => ({ ...snapshot, loss: falling(step), modules: grown(snapshot.modules, step) })),
  );
  const statusFile = path.join(dir, 'status.json');
  const status = JSON.parse(readFileSync(statusFile, 'utf8'));
  writeFileSync(statusFile, JSON.stringify({ ...status, step: steps, totalSteps: steps, stepsPerEpoch, epoch: steps / stepsPerEpoch }));
}

function grown(modules, step) {
  return Object.fromEntries(
    Object.entries(modules).map(([name, values]) => [name, { ...values, weightNorm: values.weightNorm * (1 + Math.log1p(step / 500)) }]),
  );
}

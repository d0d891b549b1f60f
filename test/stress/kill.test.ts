/**
 * SIGKILL at random moments over all phases, checkpoint writing included; after each kill the run is resumed, until it ends. Then its data
 * equals the uninterrupted run's, byte for byte (reliability.md R1, method.md invariant 9). Seeded; PRELORA_KILLS sets the count.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../build/transpile.mjs';
import { randomStream } from '../../main/core/random.ts';
import { findEngine } from '../../main/engine/installed.ts';
import { newestGoodCheckpoint } from '../../main/store/checkpointFolder.ts';
import { loadCheckpoint } from '../../main/store/checkpointReading.ts';
import { readConfig, readLineage, readRanks, readRecords, readStatus } from '../../main/store/runFolder.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const KILLS = Number(process.env.PRELORA_KILLS ?? 20);
/** Small enough to be killed often, long enough to be in every phase: 6 × 32 updates, a checkpoint every 8. */
const SETTINGS = [
  'data.maxTrain=1024',
  'train.epochs=8',
  'train.checkpointEvery=8',
  'train.emaDecay=0.9',
  'model.dropRate=0.1',
  'prelora.graceSteps=5',
  'prelora.jointSteps=2ep',
];

describe.each([
  ['tensorflow', findEngine() !== null],
  ['wasm', true],
] as const)('a run on %s', (backend, isHere) => {
  it.skipIf(!isHere)(`killed ${KILLS} times ends like one that was never killed`, async () => {
    const folder = temporaryFolder();
    const whole = path.join(folder, 'whole');
    expect(await finish(startTrain(whole, backend))).toBe(0);
    const killed = path.join(folder, 'killed');
    const phases = await trainUnderFire(killed, backend);
    console.log(`${backend}: ${KILLS} kills, in phases ${JSON.stringify(phases)}`);
    expect(await contentOf(killed)).toEqual(await contentOf(whole));
  });
});

/** Kills and resumes until the kills are used up, then lets the run end. A run that ends before a kill begins again elsewhere. */
async function trainUnderFire(dir: string, backend: string): Promise<Record<string, number>> {
  const random = randomStream(20261123, 'test', backend.length);
  const phases: Record<string, number> = {};
  let child = startTrain(dir, backend);
  for (let kill = 0; kill < KILLS; kill++) {
    await delayOrExit(child, 2500 + random.uniform() * 6000);
    const status = existsSync(dir) ? await readStatus(dir) : null;
    phases[status?.phase ?? 'none'] = (phases[status?.phase ?? 'none'] ?? 0) + 1;
    child.kill('SIGKILL');
    await finish(child);
    child = existsSync(path.join(dir, 'config.json')) ? startResume(dir) : startTrain(dir, backend);
  }
  expect(await finish(child)).toBe(0);
  return phases;
}

function startTrain(dir: string, backend: string): ChildProcess {
  return prelora('train', '--preset', 'smoke', '--backend', backend, '--out', dir, ...SETTINGS.flatMap((setting) => ['--set', setting]));
}

function startResume(dir: string): ChildProcess {
  return prelora('resume', dir);
}

/** The worker process itself, so that the kill hits what trains: its environment is complete, and nothing is started again. */
function prelora(...args: string[]): ChildProcess {
  return spawn(process.execPath, [path.join(root, 'dist/main/cli/main.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...NATIVE },
  });
}

const { nativeEnvironment } = await import('../../main/engine/environment.ts');
const NATIVE = nativeEnvironment({ threads: null, xla: false });

function finish(child: ChildProcess): Promise<number | null> {
  const said: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode);
    child.once('exit', (code) => {
      if (code) console.error(Buffer.concat(said).toString());
      resolve(code);
    });
  });
}

function delayOrExit(child: ChildProcess, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const MEASURED = ['segment', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'seconds', 'peakMemoryBytes'];

async function contentOf(dir: string) {
  const data = async (kind: 'metrics' | 'epochs' | 'snapshots') =>
    (await readRecords(dir, kind)).map((record) => Object.fromEntries(Object.entries(record).filter(([key]) => !MEASURED.includes(key))));
  const { model } = await readConfig(dir);
  const { step } = await newestGoodCheckpoint(dir, model, await readLineage(dir));
  const { manifest, tensors } = await loadCheckpoint(dir, step as number, model);
  const weights = Object.entries(tensors).flatMap(([part, map]) =>
    [...(map ?? [])].map(([name, { data }]) => [
      `${part}/${name}`,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
    ]),
  );
  return {
    step: manifest.step,
    metrics: await data('metrics'),
    epochs: await data('epochs'),
    snapshots: await data('snapshots'),
    ranks: await readRanks(dir),
    weights: Object.fromEntries(weights),
  };
}

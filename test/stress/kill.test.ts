/**
 * SIGKILL at random steps over all phases, checkpoint writing included; after each kill the run is resumed, until it ends. Then its data
 * equals the uninterrupted run's, byte for byte (reliability.md R1, method.md invariant 9). Seeded; PRELORA_KILLS sets the count.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { root } from '../../build/transpile.mjs';
import { randomStream } from '../../main/core/random.ts';
import { findEngine } from '../../main/engine/installed.ts';
import { Phase } from '../../main/protocol/run.ts';
import { runContent } from '../support/runContent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const KILLS = Number(process.env.PRELORA_KILLS ?? 20);
/** Small enough to be killed often, long enough to be in every phase: 8 × 32 updates, a checkpoint every 8; switch at 69, freeze at 133. */
const STEPS = 256;
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
    const hits = await trainUnderFire(killed, backend);
    console.log(`${backend}: ${KILLS} kills ${JSON.stringify(hits)}`);
    if (KILLS >= 20) for (const phase of Phase.options) expect(hits[phase], phase).toBeGreaterThanOrEqual(3);
    expect(await runContent(killed)).toEqual(await runContent(whole));
  });
});

/**
 * A kill in each of as many stretches of the run as there are kills, at a random step of its stretch; every third waits there for a checkpoint
 * and falls into the middle of it. Then the run may end.
 */
async function trainUnderFire(dir: string, backend: string): Promise<Hits> {
  const random = randomStream(20261123, 'test', backend.length);
  const hits: Hits = { full: 0, warmup: 0, lora: 0, beforeFirstStep: 0, inCheckpoint: 0 };
  let child = startTrain(dir, backend);
  for (let kill = 0; kill < KILLS; kill++) {
    const target = Math.floor(((kill + random.uniform()) * STEPS) / KILLS);
    await untilStep(dir, target, child);
    if (kill % 3 === 2) await untilCheckpoint(dir, child);
    const isRunning = child.kill('SIGKILL');
    expect(isRunning, `killed at step ${target}, before the run ended`).toBe(true);
    await finish(child);
    if (isWriting(dir)) hits.inCheckpoint++;
    hits[newestMetrics(dir)?.phase ?? 'beforeFirstStep']++;
    child = existsSync(path.join(dir, 'config.json')) ? startResume(dir) : startTrain(dir, backend);
  }
  expect(await finish(child)).toBe(0);
  return hits;
}

type Hits = Record<Phase | 'beforeFirstStep' | 'inCheckpoint', number>;

async function untilStep(dir: string, step: number, child: ChildProcess): Promise<void> {
  while (isAlive(child) && (newestMetrics(dir)?.step ?? -1) < step && !(step === 0 && existsSync(dir))) await delay(2);
}

async function untilCheckpoint(dir: string, child: ChildProcess): Promise<void> {
  while (isAlive(child) && !isWriting(dir)) await delay(1);
}

/** The last whole line of the metrics. */
function newestMetrics(dir: string): { step: number; phase: Phase } | null {
  const file = path.join(dir, 'metrics.jsonl');
  const line = existsSync(file) ? readFileSync(file, 'utf8').split('\n').at(-2) : undefined;
  return line ? JSON.parse(line) : null;
}

/** Whether a checkpoint is half written. */
function isWriting(dir: string): boolean {
  const folder = path.join(dir, 'checkpoints');
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.tmp'));
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
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
const NATIVE = nativeEnvironment({ threads: null, xla: false, engine: findEngine() });

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

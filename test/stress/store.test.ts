/** Long forms of R1, R3 and R11 for the store; seeds are fixed and counts printed. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { randomStream } from '../../main/core/random.ts';
import { saveCheckpoint } from '../../main/store/checkpoint.ts';
import { createRun, openRun } from '../../main/store/runStore.ts';
import { NATIVE_METADATA, SafetensorsFile, type Tensor, writeSafetensors } from '../../main/store/safetensors.ts';
import { decodeHeader } from '../../main/store/safetensorsHeader.ts';
import { expectRefusals } from '../store/damage.ts';
import { headerText } from '../store/hostileHeader.ts';
import { tinyCheckpoint, tinyRunConfig } from '../store/tinyRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

test('R3: 300 random damages of a checkpoint are each refused by name, and the last good one is offered', async () => {
  const dir = temporaryFolder();
  for (const step of [1, 2, 3]) {
    await saveCheckpoint(dir, tinyCheckpoint(step, { phase: step === 3 ? 'lora' : 'full' }), { runId: 'tiny', appendLengths: {} });
  }
  const done = await expectRefusals(dir, { good: 2, damaged: 3, count: 300, seed: 20261123 });
  console.log('damages refused:', done);
});

test('R1: of 60 kills while checkpoints are written, none leaves the run without its last complete one', async () => {
  const dir = path.join(temporaryFolder(), 'run');
  const created = await createRun({ dir, config: tinyRunConfig, runId: 'tiny' });
  let finished = 1;
  await created.saveCheckpoint(tinyCheckpoint(finished));
  created.close();
  let halfWritten = 0;
  for (let kill = 0; kill < 60; kill++) {
    const child = fork(path.join(import.meta.dirname, 'savingProcess.mjs'), [dir, String(finished)]);
    child.on('message', (step) => {
      finished = Number(step);
    });
    await once(child, 'message');
    await sleep(randomStream(7, 'test', kill).integer(60));
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (readdirSync(path.join(dir, 'checkpoints')).some((name) => name.endsWith('.tmp'))) halfWritten++;
    const store = await openRun(dir);
    const { step, damaged } = await store.newestGoodCheckpoint();
    expect(damaged).toEqual([]);
    expect(step).toBeGreaterThanOrEqual(finished);
    await store.loadCheckpoint(step as number);
    finished = step as number;
    store.close();
    expect(readdirSync(path.join(dir, 'checkpoints')).filter((name) => name.startsWith('.'))).toEqual([]);
  }
  console.log(`60 kills, ${halfWritten} of them in the middle of a checkpoint, ${finished} checkpoints in the end`);
});

test('R11: 20,000 hostile headers are read or refused by name', () => {
  let refused = 0;
  fc.assert(
    fc.property(headerText, fc.nat({ max: 64 }), (text, dataBytes) => {
      try {
        decodeHeader('fuzz', text, dataBytes);
      } catch (error) {
        expect(error).toMatchObject({ code: 'unsafe-tensors' });
        refused++;
      }
    }),
    { numRuns: 20_000, seed: 11 },
  );
  console.log(`20,000 headers, ${refused} refused`);
});

test('a file past 2 GiB is written and read tensor by tensor', async () => {
  const file = path.join(temporaryFolder(), 'large.safetensors');
  const zeros = new Float32Array(2 ** 26);
  const tensors = new Map<string, Tensor>([['tail', { shape: [3], data: Float32Array.of(1, 2, 3) }]]);
  for (let index = 0; index < 9; index++) tensors.set(`big.${index}`, { shape: [zeros.length], data: zeros });
  await writeSafetensors(file, tensors, NATIVE_METADATA);
  expect(statSync(file).size).toBeGreaterThan(2 ** 31);
  const opened = await SafetensorsFile.open(file);
  expect([...(await opened.read('tail')).data]).toEqual([1, 2, 3]);
  await opened.close();
});

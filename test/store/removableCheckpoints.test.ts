/** Clearing away checkpoints: never the last, the best or a pinned one; what an undo left behind counts as abandoned. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { checkpointFolder } from '../../main/store/checkpoint.ts';
import { exists } from '../../main/store/exists.ts';
import { checkpointSpace, removeCheckpoints } from '../../main/store/removableCheckpoints.ts';
import { createRun, type RunStore } from '../../main/store/runStore.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tinyCheckpoint, tinyRunConfig } from './tinyRun.ts';

/** Checkpoints 2 and 5 (older), 4 (best), 6 (before the switch, pinned), 12 (abandoned by the undo to 6), 10 (last, segment 1). */
async function run(): Promise<RunStore> {
  const store = await createRun({ dir: path.join(temporaryFolder(), 'run'), config: tinyRunConfig });
  for (const step of [2, 4, 5, 6, 12]) await store.saveCheckpoint(tinyCheckpoint(step));
  await store.writeBest({ step: 4, epoch: 1, valTop1: 0.5 });
  await store.pinCheckpoint({ step: 6, segment: 0, reason: 'before-switch' });
  const segment = await store.startSegment({ step: 6, segment: 0 }, 'undo');
  await store.saveCheckpoint(tinyCheckpoint(10, { segment }));
  return store;
}

test('offers the older and the abandoned ones with their bytes, and nothing that is kept', async () => {
  const store = await run();
  const { removable, bytes } = await checkpointSpace(store.dir);
  expect(removable.map(({ step, reason }) => [step, reason])).toEqual([
    [2, 'older'],
    [5, 'older'],
    [12, 'abandoned'],
  ]);
  expect(bytes).toBeGreaterThan(removable.reduce((sum, one) => sum + one.bytes, 0));
  store.close();
});

test('removes what is asked for, and never what is kept even when asked', async () => {
  const store = await run();
  const { removable } = await checkpointSpace(store.dir);
  const wanted = removable.filter(({ step }) => step !== 5).reduce((sum, one) => sum + one.bytes, 0);
  expect(await removeCheckpoints(store.dir, [2, 4, 6, 10, 12])).toBe(wanted);
  const left = await Promise.all([2, 4, 5, 6, 10, 12].map((step) => exists(checkpointFolder(store.dir, step))));
  expect(left).toEqual([false, true, true, true, true, false]);
  expect((await store.newestGoodCheckpoint()).step).toBe(10);
  store.close();
});

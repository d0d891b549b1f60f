/** The disk fills up while a run trains: said before a checkpoint does not fit (product.md section 3). What follows then is R4, store/fullDisk.test.ts. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { readStatus } from '../../main/store/runFolder.ts';
import { canMount, fill, smallDisk } from '../support/smallDisk.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { eventsOf, trainTiny } from './tinyTraining.ts';

const SHORT = { train: { epochs: 3, keepCheckpoints: 1 }, prelora: { switching: 'off' } };

test.skipIf(!canMount())('a run on a disk without room for another two checkpoints says so once, and goes on (needs root)', async () => {
  const { run, dir: elsewhere } = await trainTiny(`${temporaryFolder()}/run`, SHORT);
  const { checkpointBytes } = run.checkpoints.room ?? { checkpointBytes: 0 };
  expect(await eventsOf(elsewhere, 'disk-low')).toEqual([]);
  expect((await readStatus(elsewhere))?.disk).toMatchObject({ isLow: false, checkpointBytes });

  const disk = smallDisk(2048);
  // The best checkpoint and the last one stay; a third is there while it takes the place of one of them.
  fill(disk, 4.6 * checkpointBytes);
  const { end, dir } = await trainTiny(path.join(disk, 'run'), SHORT);
  expect(end).toBe('finished');
  expect(await eventsOf(dir, 'disk-low')).toMatchObject([{ by: 'program', detail: { checkpointBytes: expect.any(Number) } }]);
  expect((await readStatus(dir))?.disk).toMatchObject({ isLow: true });
});

/** Merging as an action: the file computes what base and adapters compute, and the run stays as it is. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { difference } from '../../main/host/compareLogits.ts';
import { mergeCheckpoint, mergedFolder } from '../../main/host/mergeCheckpoint.ts';
import { mergeAdapters } from '../../main/lora/merge.ts';
import { loadCheckpoint } from '../../main/store/checkpointReading.ts';
import { readConfig } from '../../main/store/runFolder.ts';
import { readSafetensors } from '../../main/store/safetensors.ts';
import { adaptedRanks, restoreCheckpoint } from '../../main/train/runState.ts';
import { expectSameBits } from '../support/tolerance.ts';
import { trainedRun } from './trainedRun.ts';

describe('merging a checkpoint', { timeout: 60_000 }, () => {
  it('writes the weights without adapters, reads them back and finds the same logits; only its own folder is new', async () => {
    const { page, dir, runId } = await trainedRun();
    const before = contentOf(dir);
    const report = await page.request('run:merge', { runId, checkpoint: 24 });
    expect(report).toMatchObject({ step: 24, adapters: 12, images: 20, changedClasses: 0, isEqual: true });
    expect(report.largestDifference).toBeLessThanOrEqual(report.limit);
    const { state, tensors } = restoreCheckpoint(await loadCheckpoint(dir, 24, (await readConfig(dir)).model));
    const wanted = mergeAdapters(tensors.parameters, adaptedRanks(state));
    const found = await readSafetensors(path.join(report.folder, 'model.safetensors'));
    expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [name, { data }] of wanted) expectSameBits(found.get(name)!.data, data as Float32Array, name);
    const after = contentOf(dir);
    for (const name of Object.keys(after)) if (name.startsWith('merged')) delete after[name];
    expect(after).toEqual(before);
    // Once more, in this process: replaced, not refused.
    const again = await mergeCheckpoint({ dir, checkpoint: 24, folder: mergedFolder(dir), say: () => {} });
    expect(again).toEqual(report);
  });

  it('is refused where there are no adapters', async () => {
    const { dir } = await trainedRun();
    const merged = mergeCheckpoint({ dir, checkpoint: 6, folder: mergedFolder(dir), say: () => {} });
    await expect(merged).rejects.toMatchObject({ code: 'bad-arguments', message: expect.stringContaining('phase full') });
  });
});

test('the check fails by a difference beyond rounding, a class that changed clearly, and values that are no numbers', () => {
  const logits = [1, 5, 2, 9, 3, 1];
  expect(difference(logits, logits, 3)).toMatchObject({ images: 2, largestDifference: 0, changedClasses: 0, isEqual: true });
  expect(difference(logits, [1, 5, 2, 9.001, 3, 1], 3)).toMatchObject({ changedClasses: 0, isEqual: false });
  expect(difference(logits, [6, 5, 2, 9, 3, 1], 3)).toMatchObject({ changedClasses: 1, isEqual: false });
  expect(difference(logits, [1, 5, 2, Number.NaN, 3, 1], 3).isEqual).toBe(false);
  expect(difference(logits, [1, 5, 2], 3).isEqual).toBe(false);
  // Two classes that rounding may swap are no change.
  expect(difference([5, 5.000001, 0], [5.000001, 5, 0], 3)).toMatchObject({ changedClasses: 0, isEqual: true });
});

function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(path.join(folder, name)).toString('base64')]));
}

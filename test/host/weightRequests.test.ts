/** Looking into checkpoints of a real run through all phases: distributions and differences from files alone. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mergeAdapters } from '../../main/lora/merge.ts';
import type { ResultOf } from '../../main/protocol/requests.ts';
import { loadCheckpoint } from '../../main/store/checkpointReading.ts';
import { readConfig } from '../../main/store/runFolder.ts';
import { adaptedRanks, restoreCheckpoint } from '../../main/train/runState.ts';
import { trainedRun } from './trainedRun.ts';

const Q = 'blocks.0.attn.q';

describe('the weights of a run', { timeout: 60_000 }, () => {
  it('are spread as the checkpoint says, adapters merged, with the update since the checkpoint before', async () => {
    const { page, dir, runId } = await trainedRun();
    const { items, figures } = await page.request('weights:distribution', {
      module: Q,
      of: [
        { runId, step: 30 },
        { runId, step: 6 },
      ],
    });
    expect(items).toEqual([
      { runId, step: 30, before: 24 },
      { runId, step: 6, before: null },
    ]);
    const { model } = await readConfig(dir);
    const weightAt = async (step: number): Promise<Float32Array> => {
      const { state, tensors } = restoreCheckpoint(await loadCheckpoint(dir, step, model));
      return mergeAdapters(tensors.parameters, adaptedRanks(state)).get(`${Q}.weight`)!.data;
    };
    const [last, before] = [await weightAt(30), await weightAt(24)];
    const [weight, update, gradient] = figures;
    expect(weight!.series[0]!.max).toBe(Math.max(...last));
    expect(weight!.series[0]!.count).toBe(64);
    expect(update!.series[0]!.max).toBeCloseTo(Math.max(...last.map((value, i) => value - before[i]!)), 6);
    expect(update!.series[1]).toBeNull();
    // Frozen: no moments any more; at step 6 it still trained.
    expect(gradient!.series[0]).toBeNull();
    expect(gradient!.series[1]!.count).toBe(64);
  });

  it('differ by structure and by how far each tensor moved', async () => {
    const { page, runId } = await trainedRun();
    const same = await page.request('weights:difference', { from: { runId, step: 6 }, to: { runId, step: 6 } });
    expect(same).toMatchObject({ added: [], removed: [], reshaped: [], moved: [] });
    expect(same.identical).toBeGreaterThan(20);
    const across = await page.request('weights:difference', { from: { runId, step: 6 }, to: { runId } });
    expect(across.toStep).toBe(30);
    expect(across.added.map(({ name }) => name)).toContain(`${Q}.loraA`);
    expect(across.removed).toEqual([]);
    expect(across.moved.map(({ relative }) => relative)).toEqual([...across.moved.map(({ relative }) => relative)].sort((a, b) => b - a));
    const frozen = await page.request('weights:difference', { from: { runId, step: 18 }, to: { runId, step: 30 } });
    expect(movedNames(frozen)).toContain(`${Q}.weight`);
  });

  it('are only read', async () => {
    const { page, dir, runId } = await trainedRun();
    const before = contentOf(dir);
    await page.request('weights:distribution', { module: Q, of: [{ runId, step: null }] });
    await page.request('weights:difference', { from: { runId, step: 6 }, to: { runId } });
    expect(contentOf(dir)).toEqual(before);
  });

  it('that are not there are told in one sentence', async () => {
    const { page, runId } = await trainedRun();
    const none = page.request('weights:distribution', { module: 'blocks.9.attn.q', of: [{ runId, step: 30 }] });
    await expect(none).rejects.toMatchObject({ code: 'not-found', field: 'module' });
    const noStep = page.request('weights:difference', { from: { runId, step: 7 }, to: { runId } });
    await expect(noStep).rejects.toMatchObject({ code: 'not-found', field: 'step' });
  });
});

function movedNames({ moved }: ResultOf<'weights:difference'>): string[] {
  return moved.map(({ name }) => name);
}

function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(path.join(folder, name)).toString('base64')]));
}

/** layers.csv: the columns, units and line ends of the format, live records alone. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeLayersCsv } from '../../main/exchange/layersCsv.ts';
import { createRun, type RunStore } from '../../main/store/runStore.ts';
import { tinyRunConfig } from '../store/tinyRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { FAR, MODULES, ranks, recordedRun, runFolder } from './recordedRun.ts';

async function linesOf(store: RunStore): Promise<string[]> {
  onTestFinished(() => store.close());
  const file = path.join(temporaryFolder(), 'layers.csv');
  const { rows } = await writeLayersCsv(store.dir, file);
  const text = readFileSync(file, 'utf8');
  expect(readdirSync(path.dirname(file))).toEqual(['layers.csv']);
  expect(text.endsWith('\r\n')).toBe(true);
  const lines = text.slice(0, -2).split('\r\n');
  expect(lines).toHaveLength(rows + 1);
  return lines;
}

test('every live number about every module has a row; what was not measured has none', async () => {
  const lines = await linesOf(await recordedRun(runFolder(temporaryFolder())));
  expect(lines[0]).toBe('step,epoch,phase,module,metric,value');
  const rows = lines.slice(1).map((line) => line.split(','));
  // Three live snapshots with two norms per module; rank and alpha of one, rank alone of one without an adapter.
  expect(rows).toHaveLength(3 * 2 * MODULES.length + 3);
  expect(lines).toContain(`${FAR + 4},1,full,${MODULES[0]},weightNorm,10`);
  expect(lines).toContain(`${FAR + 8},2,full,${MODULES[1]},gradNorm,${1 / 7}`);
  expect(lines.filter((line) => line.includes(',99'))).toEqual([]);
  expect(rows.map(([step]) => Number(step))).toEqual(rows.map(([step]) => Number(step)).sort((a, b) => a - b));
});

test('ranks and alphas stand once, at the switch, after the norms of that step', async () => {
  const lines = await linesOf(await recordedRun(runFolder(temporaryFolder())));
  const at = lines.findIndex((line) => line.includes(',rank,'));
  expect(lines.slice(at, at + 3)).toEqual([
    `${FAR + 8},,warmup,blocks.0.attn.q,rank,2`,
    `${FAR + 8},,warmup,blocks.0.attn.q,alpha,4`,
    `${FAR + 8},,warmup,blocks.0.attn.k,rank,0`,
  ]);
  expect(lines[at - 1]?.startsWith(`${FAR + 8},`)).toBe(true);
  expect(lines[at + 3]?.startsWith(`${FAR + 12},`)).toBe(true);
});

test('the epoch of the switch is known where a status says how long an epoch is', async () => {
  const store = await recordedRun(runFolder(temporaryFolder()));
  const place = {
    runId: 'recorded',
    name: '',
    status: 'finished' as const,
    phase: 'lora' as const,
    step: 0,
    totalSteps: 12,
    epoch: 3,
    epochs: 3,
  };
  const rest = { segment: 1, switchStep: null, freezeStep: null, trainableParameters: 0, totalParameters: 0, best: null, message: null };
  const backend = { name: '', version: '', device: '', why: '', compiled: false };
  await store.writeStatus({ ...place, ...rest, backend, stepsPerEpoch: 4, updatedAt: '2026-11-01T10:00:00Z' });
  expect((await linesOf(store)).find((line) => line.includes(',rank,'))).toContain(`${FAR + 8},${(FAR + 8) / 4},warmup`);
});

test('numbers are written as timm writes them', async () => {
  const store = await createRun({ dir: runFolder(temporaryFolder()), config: tinyRunConfig });
  const module = MODULES[0] as string;
  const norms = { weightNorm: Number.NaN, gradNorm: Number.POSITIVE_INFINITY, displacement: 1e-7 };
  store.appendSnapshot({ step: 1, epoch: 1 / 3, phase: 'full', segment: 0, loss: 1, modules: { [module]: norms } });
  expect(await linesOf(store)).toEqual([
    'step,epoch,phase,module,metric,value',
    `1,${1 / 3},full,${module},weightNorm,nan`,
    `1,${1 / 3},full,${module},gradNorm,inf`,
    `1,${1 / 3},full,${module},displacement,1e-7`,
  ]);
});

test('a run without snapshots has the header alone, and a plan without later snapshots is told too', async () => {
  const store = await createRun({ dir: runFolder(temporaryFolder()), config: tinyRunConfig });
  expect(await linesOf(store)).toHaveLength(1);
  await store.writeRanks(ranks);
  expect(await linesOf(store)).toHaveLength(4);
});

test('a folder that is no run is refused, and a damaged one leaves nothing behind', async () => {
  const root = temporaryFolder();
  await expect(writeLayersCsv(root, path.join(root, 'layers.csv'))).rejects.toMatchObject({ code: 'not-found' });
  const store = await recordedRun(runFolder(temporaryFolder()));
  onTestFinished(() => store.close());
  writeFileSync(path.join(store.dir, 'snapshots.jsonl'), 'garbage\n{}\n');
  await expect(writeLayersCsv(store.dir, path.join(root, 'layers.csv'))).rejects.toMatchObject({ code: 'run-damaged' });
  expect(readdirSync(root)).toEqual([]);
});

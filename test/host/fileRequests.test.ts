/** Requests that need no trainer: configs, estimates, data, the runs table, replay and preview from recorded files. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { engineRequests } from '../../main/protocol/requests.ts';
import { openRun } from '../../main/store/runStore.ts';
import { folderWith, goldenTar } from '../data/shardSets.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { addOldRun } from './oldRun.ts';

describe('the program describes itself', () => {
  it('with presets, backends and the schema that the form is made of', async () => {
    const about = await connectPage(startHost()).request('app:describe', {});
    expect(engineRequests['app:describe'].result.safeParse(about).success).toBe(true);
    expect(about.presets.map(({ name }) => name)).toContain('smoke');
    expect(about.engines.find(({ name }) => name === 'wasm')?.available).toBe(true);
    expect(JSON.stringify(about.configSchema)).toContain('Weight threshold');
  });
});

describe('a config', () => {
  it('is checked field by field, then rule by rule', async () => {
    const page = connectPage(startHost());
    const config = { train: { lr: 9, epochs: 0 }, prelora: { tau: 'x' } };
    const problems = await page.request('config:check', { config });
    expect(problems.map(({ field }) => field).sort()).toEqual(['prelora.tau', 'train.epochs', 'train.lr']);
    expect(await page.request('config:check', { config: { prelora: { rMin: 8, rMax: 4 } } })).toMatchObject([{ field: 'prelora.rMin' }]);
    expect(await page.request('config:check', { config: SMALL_RUN })).toEqual([]);
    expect(await page.request('config:check', { config: 'nonsense' })).toHaveLength(1);
  });

  it('that is wrong starts nothing and is refused with its field', async () => {
    const host = startHost();
    const page = connectPage(host);
    const refusal = { code: 'bad-config', field: 'model.patchSize' };
    const model = { ...SMALL_RUN.model, patchSize: 3 };
    await expect(page.request('run:start', { config: { ...SMALL_RUN, model } })).rejects.toMatchObject(refusal);
    const missing = { ...SMALL_RUN, data: { source: '/no/such/folder' } };
    await expect(page.request('run:start', { config: missing })).rejects.toMatchObject({ code: 'data-not-found' });
    expect(await page.request('runs:list', {})).toEqual([]);
  });

  it('goes to YAML and back', async () => {
    const page = connectPage(startHost());
    const { yaml } = await page.request('config:toYaml', { config: SMALL_RUN });
    expect((await page.request('config:fromText', { text: yaml })).config).toEqual(SMALL_RUN);
  });
});

describe('an estimate', () => {
  it('counts steps, parameters, memory and the first test', async () => {
    const page = connectPage(startHost());
    // The first look opens the data; on a slow disk it may come back without counts.
    await page.request('data:inspect', { data: SMALL_RUN.data });
    const known = async () => (await page.request('estimate:compute', { config: SMALL_RUN })).totalSteps !== null;
    await expect.poll(known, { timeout: 20_000 }).toBe(true);
    const estimate = await page.request('estimate:compute', { config: SMALL_RUN });
    expect(estimate).toMatchObject({ problems: [], stepsPerEpoch: 8, totalSteps: 3200, firstTestStep: 8 });
    expect(estimate.lora?.trainableParameters).toBeLessThan(estimate.warmup?.trainableParameters as number);
    expect(estimate.freeDiskBytes).toBeGreaterThan(0);
  });

  it('of a config with a problem holds the problem and no figures', async () => {
    const page = connectPage(startHost());
    const estimate = await page.request('estimate:compute', { config: { train: { lr: 9 } } });
    expect(estimate.problems).toMatchObject([{ field: 'train.lr' }]);
    expect(estimate.parameters).toBeNull();
  });

  it('can be measured by real steps of every phase', async () => {
    const page = connectPage(startHost());
    const { full, lora } = await page.request('estimate:measure', { config: SMALL_RUN });
    expect([full?.measured, lora?.measured]).toEqual([true, true]);
    expect(full?.imagesPerSecond).toBeGreaterThan(0);
  });
});

describe('a data set', () => {
  it('is shown with its classes, counts and pictures', async () => {
    const report = await connectPage(startHost()).request('data:inspect', { data: { source: 'sample', maxTrain: 100 } });
    expect(report).toMatchObject({ kind: 'idx', channels: 1, trainCount: 100 });
    expect(report.classCounts.reduce((sum, { train }) => sum + train, 0)).toBe(100);
    expect(report.duplicates).toEqual({ count: 0, examples: [] });
    expect(report.thumbnails).toHaveLength(24);
    expect(report.thumbnails[0]?.image).toMatch(/^data:image\/png;base64,/);
  });

  it('is shown as training would see it, an index past the last begins anew', async () => {
    const config = { ...SMALL_RUN, data: { ...SMALL_RUN.data, maxTrain: 100, mixupAlpha: 1 } };
    const shown = await connectPage(startHost()).request('data:augment', { config, sample: 103 });
    expect(shown).toMatchObject({ sample: 3, count: 100 });
    expect(shown.draws).toHaveLength(12);
    expect(new Set(shown.draws.map(({ image }) => image)).size).toBeGreaterThan(6);
  });

  it('in shards is shown the same way, with what is worth knowing; a column that must be named is asked for at its field', async () => {
    const page = connectPage(startHost());
    const source = folderWith({
      'train.parquet': 'two-labels.parquet',
      'test.parquet': 'two-labels.parquet',
      'val.parquet': 'hidden.parquet',
    });
    await expect(page.request('data:inspect', { data: { source } })).rejects.toMatchObject({
      code: 'parquet-column',
      field: 'data.labelField',
    });
    const asked = await page.request('estimate:compute', { config: { ...SMALL_RUN, data: { source } } });
    expect(asked.problems).toMatchObject([{ field: 'data.labelField', message: expect.stringContaining('fine_label, coarse_label') }]);

    const both = folderWith({ 'train.parquet': 'hf.parquet', 'test.parquet': 'hf.parquet' });
    const report = await page.request('data:inspect', { data: { source: both } });
    expect(report).toMatchObject({ kind: 'parquet', channels: 3, trainCount: 3, valCount: 3, classNames: ['cat', 'dög'], notes: [] });
    expect(report.duplicates).toMatchObject({ count: 3, examples: [{ train: 'train.parquet/row 0', val: 'test.parquet/row 0' }, {}, {}] });
    expect(report.thumbnails.map(({ label }) => label)).toEqual(['dög', 'cat', 'dög']);
    const config = {
      ...SMALL_RUN,
      model: { ...SMALL_RUN.model, inChannels: null },
      data: { source: both, mixupAlpha: 1 },
      train: { batchSize: 2 },
    };
    expect((await page.request('data:augment', { config, sample: 1 })).draws).toHaveLength(12);

    const cut = folderWith({ 'train.tar': goldenTar('gnu').subarray(0, 10 * 512), 'val.tar': goldenTar('gnu') });
    await expect(page.request('data:inspect', { data: { source: cut } })).rejects.toMatchObject({ code: 'tar-truncated' });
  });

  it('that is not there is refused by name', async () => {
    const page = connectPage(startHost());
    await expect(page.request('data:inspect', { data: { source: '/no/such' } })).rejects.toMatchObject({ code: 'data-not-found' });
    await expect(page.request('data:inspect', { data: { flip: 7 } })).rejects.toMatchObject({ code: 'bad-config', field: 'data.flip' });
  });
});

describe('the runs table', () => {
  it('lists runs of other versions, takes names, tags and notes, and keeps the row of a damaged one', async () => {
    const host = startHost();
    const page = connectPage(host);
    addOldRun(host.catalog.root);
    const broken = addOldRun(host.catalog.root, 'broken');
    writeFileSync(path.join(broken, 'config.json'), '{"model":');
    const [first] = (await page.request('runs:list', {})).filter(({ problem }) => problem === null);
    const runId = first?.runId as string;
    await page.request('runs:rename', { runId, name: 'späte Ergebnisse 🌱' });
    await page.request('runs:annotate', { runId, tags: ['a'], note: 'kept', archived: true });
    const rows = await page.request('runs:list', {});
    expect(engineRequests['runs:list'].result.safeParse(rows).success).toBe(true);
    expect(rows.find((row) => row.runId === runId)).toMatchObject({
      tags: ['a'],
      note: 'kept',
      archived: true,
      status: { name: 'späte Ergebnisse 🌱' },
    });
    expect(rows.find(({ problem }) => problem !== null)?.problem).toContain('config.json');
  });

  it('refuses ids that no run has, paths among them', async () => {
    const page = connectPage(startHost());
    for (const runId of ['nope', '../../etc', '/etc/passwd', '..', 'constructor']) {
      await expect(page.request('run:state', { runId })).rejects.toMatchObject({ code: 'not-found' });
      await expect(page.request('runs:trash', { runId })).rejects.toMatchObject({ code: 'not-found' });
    }
  });

  it('moves a run to the trash and back without losing a byte', async () => {
    const host = startHost();
    const page = connectPage(host);
    addOldRun(host.catalog.root);
    const [before] = await page.request('runs:list', {});
    const runId = before?.runId as string;
    await page.request('runs:trash', { runId });
    expect(await page.request('runs:list', {})).toEqual([]);
    await page.request('runs:restore', { runId });
    expect(await page.request('runs:list', {})).toEqual([before]);
  });
});

describe('a recorded run', () => {
  it('longer than one message comes in pieces, each once until the last is taken', async () => {
    const host = startHost();
    const page = connectPage(host);
    const dir = addOldRun(host.catalog.root);
    const line = {
      epoch: 1,
      phase: 'full',
      segment: 0,
      loss: 1,
      lr: 0.1,
      imagesPerSecond: 1,
      stepMs: 1,
      dataWaitMs: 0,
      memoryBytes: 1,
      gradNorm: 1,
    };
    const steps = Array.from({ length: 1200 }, (_, i) => i + 1);
    writeFileSync(path.join(dir, 'metrics.jsonl'), steps.map((step) => `${JSON.stringify({ step, ...line })}\n`).join(''));
    const [{ runId = '' } = {}] = await page.request('runs:list', {});
    const { metrics, morePieces } = await page.request('run:state', { runId });
    const found = metrics.map(({ step }) => step);
    for (let piece = 1; piece <= morePieces; piece++) {
      found.push(...(await page.request('run:piece', { runId, piece })).metrics.map(({ step }) => step));
    }
    expect(found).toEqual(steps);
    await expect(page.request('run:piece', { runId, piece: morePieces })).rejects.toMatchObject({ code: 'not-found' });
    const { checkpoints, summary } = await page.request('run:facts', { runId });
    expect([checkpoints.map(({ step }) => step), summary.runId]).toEqual([[7], runId]);
  });

  it('is told whole, a torn line apart, and stays readable', async () => {
    const host = startHost();
    const page = connectPage(host);
    const dir = addOldRun(host.catalog.root);
    const line = { step: 7, epoch: 1, phase: 'full', segment: 0, loss: 'NaN', lr: 0.1, imagesPerSecond: 1, stepMs: 1, dataWaitMs: 0 };
    writeFileSync(path.join(dir, 'metrics.jsonl'), `${JSON.stringify({ ...line, memoryBytes: null, gradNorm: 1 })}\n{"step": 99, "lo`);
    const [row] = await page.request('runs:list', {});
    const state = await page.request('run:state', { runId: row?.runId as string });
    expect(state.metrics.map(({ step }) => step)).toEqual([7]);
    expect(state).toMatchObject({ live: false, sequence: 0 });
    expect(state.checkpoints).toMatchObject([{ step: 7 }]);
  });

  it('with a damaged record keeps its settings, in the table and on its screen, and says which record it is', async () => {
    const host = startHost();
    const page = connectPage(host);
    const dir = addOldRun(host.catalog.root);
    writeFileSync(path.join(dir, 'epochs.jsonl'), 'rubbish\n{"epoch": 1}\n');
    const [row] = await page.request('runs:list', {});
    expect(row).toMatchObject({ config: { model: { embedDim: 8 } }, problem: expect.stringContaining('epochs.jsonl: line 1') });
    const { summary, checkpoints } = await page.request('run:state', { runId: row?.runId as string });
    expect(summary).toMatchObject({
      config: { model: { embedDim: 8 } },
      problem: expect.stringContaining('epochs.jsonl: a line is no record'),
    });
    expect(checkpoints).toMatchObject([{ step: 7 }]);
  });

  it('of a later version has a row, and a screen that says so instead of other settings', async () => {
    const host = startHost();
    const page = connectPage(host);
    const file = path.join(addOldRun(host.catalog.root), 'config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), schemaVersion: 99 }));
    const [row] = await page.request('runs:list', {});
    const problem = expect.stringContaining('config is version 99, this program reads up to 1');
    expect(row).toMatchObject({ problem, status: { status: 'failed' } });
    await expect(page.request('run:state', { runId: row?.runId as string })).rejects.toMatchObject({
      code: 'bad-config',
      message: problem,
    });
  });

  it('is replayed and previewed under other thresholds, and refuses thresholds out of range', async () => {
    const host = startHost();
    const page = connectPage(host);
    addOldRun(host.catalog.root);
    const [row] = await page.request('runs:list', {});
    const runId = row?.runId as string;
    const { windows } = await page.request('replay', { runId, settings: { tau: 99, windowSize: 2 } });
    expect(Array.isArray(windows)).toBe(true);
    const preview = await page.request('switch:preview', { runId, settings: {} });
    expect(preview.words.length).toBeGreaterThan(0);
    expect(preview.now.trainableParameters).toBeGreaterThan(0);
    await expect(page.request('replay', { runId, settings: { tau: 0 } })).rejects.toMatchObject({ code: 'bad-arguments' });
    await expect(page.request('replay', { runId, settings: { rMin: 16, rMax: 4 } })).rejects.toMatchObject({ code: 'bad-config' });
  });

  it('takes a note, and no live control', async () => {
    const host = startHost();
    const page = connectPage(host);
    addOldRun(host.catalog.root);
    const [row] = await page.request('runs:list', {});
    const runId = row?.runId as string;
    await page.request('run:note', { runId, text: 'seen' });
    expect((await page.request('run:state', { runId })).events.at(-1)).toMatchObject({
      kind: 'note',
      by: 'user',
      detail: { text: 'seen' },
    });
    await expect(page.request('run:pause', { runId })).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('the space of runs', () => {
  it('is told, and checkpoints of a run that is being written are left alone', async () => {
    const host = startHost();
    const page = connectPage(host);
    const dir = addOldRun(host.catalog.root);
    const { runs } = await page.request('storage:preview', {});
    expect(runs).toMatchObject([{ blocked: null, removable: [] }]);
    expect(runs[0]!.bytes).toBeGreaterThanOrEqual(runs[0]!.checkpointBytes);
    const store = await openRun(dir);
    expect((await page.request('storage:preview', {})).runs[0]!.blocked).toMatch(/has it open/);
    const clean = page.request('storage:clean', { runs: [{ runId: runs[0]!.runId, steps: [7] }] });
    await expect(clean).rejects.toMatchObject({ code: 'busy' });
    store.close();
    expect(await page.request('storage:clean', { runs: [{ runId: runs[0]!.runId, steps: [7] }] })).toEqual({ bytes: 0 });
  });
});

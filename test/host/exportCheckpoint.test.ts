/** Exports of a real run, through the page's request: the folder, the checks, what is refused, and that nothing is left of what failed. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { restoreAt } from '../../main/host/evaluateCheckpoint.ts';
import { exportCheckpoint } from '../../main/host/exportCheckpoint.ts';
import { exportedCheckpoint } from '../../main/host/exportedCheckpoint.ts';
import { type ExportReport, ExportSettings } from '../../main/protocol/exports.ts';
import { engineRequests } from '../../main/protocol/requests.ts';
import { readDataReport } from '../../main/store/dataReport.ts';
import { readSafetensors } from '../../main/store/safetensors.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { trainTiny } from '../train/tinyTraining.ts';
import { trainedRun } from './trainedRun.ts';

const SAMPLE = fileURLToPath(new URL('../../resources/sample-fashion-mnist', import.meta.url));

type Settings = Parameters<typeof ExportSettings.parse>[0];

function exported(dir: string, out: string, given: Settings): Promise<ExportReport> {
  const settings = ExportSettings.parse({ checkpoint: 30, ...(given as object) });
  return exportCheckpoint({ dir, checkpoint: settings.checkpoint, out, settings, say: () => {} });
}

function editJson(file: string, change: (value: Record<string, unknown>) => void): void {
  const value = JSON.parse(readFileSync(file, 'utf8'));
  change(value);
  writeFileSync(file, JSON.stringify(value));
}

describe('an export', { timeout: 60_000 }, () => {
  it.each(['hf', 'peft', 'timm', 'onnx'] as const)('%s is checked whole, lies in the run, and replaces the one before', async (format) => {
    const { page, dir, runId } = await trainedRun();
    const ask = () => page.request('run:export', { runId, settings: { format, checkpoint: 30, withMerged: true } });
    const report = await ask();
    expect(engineRequests['run:export'].result.safeParse(report).success).toBe(true);
    expect(report).toMatchObject({ format, step: 30, phase: 'lora', status: 'passed' });
    expect(report.checks.map(({ status }) => status)).toEqual(report.checks.map(() => 'passed'));
    expect(report.checks.map(({ id }) => id).join(' ')).toBe(format === 'peft' ? 'V1 V2 V3 V4 V5 V1 V2 V3 V4 V5' : 'V1 V2 V3 V4 V5');
    expect(report.folder).toBe(path.join(dir, 'exports', `${format}-step-30`));
    const files = readdirSync(report.folder, { recursive: true }).map(String);
    for (const { name } of report.files) expect(files).toContain(path.normalize(name));
    expect(await ask()).toEqual(report);
    expect(readdirSync(path.join(dir, 'exports'))).toEqual([`${format}-step-30`]);
    const [stored] = await page.request('run:exports', { runId });
    expect(stored).toMatchObject({ format, folder: report.folder, step: 30, phase: 'lora', status: 'passed' });
  });

  it('of the full phase has no adapters: hf and timm hold it, peft says what does', async () => {
    const { dir } = await trainedRun();
    const folder = temporaryFolder();
    expect((await exported(dir, path.join(folder, 'hf'), { format: 'hf', checkpoint: 6 })).status).toBe('passed');
    const refused = exported(dir, path.join(folder, 'peft'), { format: 'peft', checkpoint: 6 });
    await expect(refused).rejects.toThrow('checkpoint step-6 is in phase full and has no adapters; use --to hf, timm or onnx');
    expect(readdirSync(folder)).toEqual(['hf']);
  });

  it('during the joint warm-up says that base and adapters were both in training', async () => {
    const dir = path.join(temporaryFolder(), 'run');
    await trainTiny(dir, { prelora: { jointSteps: '2ep' }, train: { keepCheckpoints: 20 } });
    const { status, phase, notes } = await exported(dir, path.join(temporaryFolder(), 'peft'), { format: 'peft', checkpoint: 18 });
    expect([status, phase]).toEqual(['passed', 'warmup']);
    expect(notes.join()).toContain('both in training at this step');
  });

  it('on a base as of the freeze holds what moved since, and says how not to load it', async () => {
    const [dir, out] = [path.join(temporaryFolder(), 'run'), path.join(temporaryFolder(), 'peft')];
    await trainTiny(dir, { prelora: { targetModules: 'paper' }, train: { keepCheckpoints: 20 } });
    const report = await exported(dir, out, { format: 'peft', baseWeights: 'freeze', withMerged: true });
    expect([report.status, ...report.checks.map(({ status }) => status)]).toEqual(Array.from({ length: 11 }, () => 'passed'));
    expect(report.notes.join()).toContain('load_adapter silently kept the head');
    expect(readFileSync(path.join(out, 'adapter', 'README.md'), 'utf8')).toContain('The base is as of the freeze (step 18)');
    const card = readFileSync(path.join(out, 'base', 'README.md'), 'utf8');
    expect(card).toContain('step 18, at the freeze');
    expect(card).toContain('Of base and adapter together:');
    const base = await readSafetensors(path.join(out, 'base', 'model.safetensors'));
    const at = async (step: number, name: string) => {
      const { tensors } = await restoreAt({ dir, checkpoint: step, say: () => {} });
      return tensors.parameters.get(name)!.data;
    };
    expect(base.get('classifier.bias')!.data).toEqual(await at(18, 'head.bias'));
    expect(base.get('classifier.bias')!.data).not.toEqual(await at(30, 'head.bias'));
    const adapter = await readSafetensors(path.join(out, 'adapter', 'adapter_model.safetensors'));
    expect(adapter.get('base_model.model.classifier.bias')!.data).toEqual(await at(30, 'head.bias'));
    const saved = JSON.parse(readFileSync(path.join(out, 'adapter', 'adapter_config.json'), 'utf8')).modules_to_save as string[];
    const keys = [0, 1].flatMap((layer) => [`vit.encoder.layer.${layer}.attention.attention.key`, `vit.layers.${layer}.attention.k_proj`]);
    expect(saved.sort()).toEqual(['classifier', 'layernorm_after', 'layernorm_before', 'vit.embeddings', 'vit.layernorm', ...keys].sort());
    const stored = JSON.parse(readFileSync(path.join(out, 'prelora.json'), 'utf8'));
    expect(stored.base).toEqual({ format: 'hf', weights: 'freeze', step: 18 });
  });

  it('on a base as of a freeze that came with the switch finds its checkpoint', async () => {
    const [dir, out] = [path.join(temporaryFolder(), 'run'), path.join(temporaryFolder(), 'peft')];
    await trainTiny(dir, { prelora: { jointSteps: 0 }, train: { keepCheckpoints: 20, emaDecay: 0.9 } });
    expect((await exported(dir, out, { format: 'peft', baseWeights: 'freeze' })).status).toBe('passed');
    expect(JSON.parse(readFileSync(path.join(out, 'prelora.json'), 'utf8')).base.step).toBe(12);
  });

  it('on a base as of the freeze leaves out of the adapter what is frozen with its targets', async () => {
    const [dir, out] = [path.join(temporaryFolder(), 'run'), path.join(temporaryFolder(), 'peft')];
    await trainTiny(dir, {
      prelora: { targetModules: 'paper', alsoFreeze: ['norms', 'k'] },
      train: { keepCheckpoints: 20, emaDecay: 0.9 },
    });
    expect((await exported(dir, out, { format: 'peft', baseWeights: 'freeze' })).status).toBe('passed');
    const config = JSON.parse(readFileSync(path.join(out, 'adapter', 'adapter_config.json'), 'utf8'));
    expect(config.modules_to_save.sort()).toEqual(['classifier', 'vit.embeddings']);
  });

  it('on a base as of the freeze needs the checkpoint of the freeze, and a freeze', async () => {
    const { dir } = await trainedRun();
    const folder = temporaryFolder();
    const asked = { format: 'peft', baseWeights: 'freeze' } as const;
    const early = path.join(temporaryFolder(), 'run');
    await trainTiny(early, { prelora: { jointSteps: '2ep' }, train: { keepCheckpoints: 20 } });
    await expect(exported(early, path.join(folder, 'peft'), { ...asked, checkpoint: 18 })).rejects.toThrow(
      'checkpoint step-18 is in phase warmup: nothing is frozen yet; use --base-weights checkpoint',
    );
    rmSync(path.join(dir, 'checkpoints', 'step-18'), { recursive: true });
    await expect(exported(dir, path.join(folder, 'peft'), asked)).rejects.toMatchObject({
      code: 'not-found',
      message: `${dir}: checkpoint step-18, written at the freeze, is no longer there; use --base-weights checkpoint: base/ is then of step-30`,
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([[['q', 'k', 'v', 'fc1']], ['paper']])(
    'on a timm base has one adapter for q, k and v, checked whole: %s',
    async (targetModules) => {
      const [dir, out] = [path.join(temporaryFolder(), 'run'), path.join(temporaryFolder(), 'peft')];
      await trainTiny(dir, { prelora: { targetModules } });
      const report = await exported(dir, out, { format: 'peft', peftBase: 'timm', withMerged: true });
      expect([report.status, ...report.checks.map(({ status }) => status)]).toEqual(Array.from({ length: 11 }, () => 'passed'));
      expect(report.checks.find(({ id }) => id === 'V4')!.detail).toMatch(/^base and adapters: .*; merged: /);
      expect(report.snippet).toContain(`timm.create_model("local-dir:${out}/base", pretrained=True)`);
      expect(readFileSync(path.join(out, 'base', 'README.md'), 'utf8')).toContain('library_name: timm');
      const { target_modules: targets } = JSON.parse(readFileSync(path.join(out, 'adapter', 'adapter_config.json'), 'utf8'));
      expect(targets).toContain('blocks.1.attn.qkv');
      expect(JSON.parse(readFileSync(path.join(out, 'prelora.json'), 'utf8'))).toMatchObject({
        names: 'timm',
        base: { format: 'timm', weights: 'checkpoint', step: 30 },
      });
    },
  );

  it.each([
    [{ format: 'hf', baseWeights: 'freeze' }, '--base-weights freeze: only a PEFT export has a base; use --to peft'],
    [{ format: 'timm', peftBase: 'timm' }, '--peft-base timm: only a PEFT export has a base; use --to peft'],
    [{ format: 'peft', baseWeights: 'freeze', peftBase: 'timm' }, 'use --peft-base hf'],
  ] as const)('%o is refused', async (given, message) => {
    const { dir } = await trainedRun();
    const refused = exported(dir, path.join(temporaryFolder(), 'out'), given);
    await expect(refused).rejects.toMatchObject({ code: 'bad-arguments', message: expect.stringContaining(message) });
  });

  it('takes no place that is taken, unless it is an export and may be replaced; an empty folder is free', async () => {
    const { dir } = await trainedRun();
    const out = path.join(temporaryFolder(), 'mine');
    mkdirSync(out);
    writeFileSync(path.join(out, 'thesis.tex'), '');
    await expect(exported(dir, out, { format: 'hf' })).rejects.toMatchObject({
      code: 'bad-arguments',
      message: `${out} exists; choose another place, or replace it (--force)`,
    });
    await expect(exported(dir, path.join(out, 'thesis.tex'), { format: 'hf' })).rejects.toThrow('exists');
    expect(readdirSync(out)).toEqual(['thesis.tex']);
    await expect(exported(dir, out, { format: 'hf', force: true })).rejects.toThrow(`${out} exists and is no export; choose another place`);
    expect(readdirSync(out)).toEqual(['thesis.tex']);
    rmSync(path.join(out, 'thesis.tex'));
    await exported(dir, out, { format: 'timm' });
    await exported(dir, out, { format: 'hf', force: true });
    expect(readdirSync(out).sort()).toEqual(['README.md', 'config.json', 'model.safetensors', 'prelora.json', 'preprocessor_config.json']);
    expect(readdirSync(path.dirname(out))).toEqual(['mine']);
    // Neighbours by name are the user's, but for what a killed export left.
    for (const name of ['mine.old', 'mine.unverified']) {
      mkdirSync(path.join(path.dirname(out), name));
      writeFileSync(path.join(path.dirname(out), name, 'thesis.tex'), '');
    }
    await expect(exported(dir, out, { format: 'hf', force: true })).rejects.toThrow('mine.unverified exists and is no export');
    rmSync(`${out}.unverified`, { recursive: true });
    mkdirSync(`${out}.tmp`);
    writeFileSync(path.join(`${out}.tmp`, 'prelora.json'), '{}');
    await exported(dir, out, { format: 'hf', force: true });
    expect(readdirSync(path.dirname(out)).sort()).toEqual(['mine', 'mine.old']);
    const empty = path.join(temporaryFolder(), 'empty');
    mkdirSync(empty);
    expect((await exported(dir, empty, { format: 'timm' })).folder).toBe(empty);
  });

  it('is compared on made-up inputs, and is partial, where the images are not here', async () => {
    const [source, dir] = [path.join(temporaryFolder(), 'images'), path.join(temporaryFolder(), 'run')];
    cpSync(SAMPLE, source, { recursive: true });
    await trainTiny(dir, { data: { source } });
    rmSync(source, { recursive: true });
    const report = await exported(dir, path.join(temporaryFolder(), 'hf'), { format: 'hf' });
    expect(report.status).toBe('partial');
    expect(report.checks.find(({ id }) => id === 'V4')).toMatchObject({
      status: 'passed',
      detail: expect.stringContaining('4 made-up inputs'),
    });
    expect(report.checks.find(({ id }) => id === 'V5')).toMatchObject({ status: 'notRun', detail: expect.stringContaining('not here') });
  });

  it('of labels that are equal, or of another number than the head has, is refused with both', async () => {
    const { dir } = await trainedRun();
    const report = path.join(dir, 'data-report.json');
    const { classNames } = await readDataReport(dir);
    const out = path.join(temporaryFolder(), 'hf');
    editJson(report, (value) => (value.classNames = [...classNames.slice(0, -1), classNames[0]]));
    await expect(exported(dir, out, { format: 'hf' })).rejects.toThrow(`classes 0 and 9 are both "${classNames[0]}"; labels must differ`);
    editJson(report, (value) => (value.classNames = classNames.slice(0, -1)));
    await expect(exported(dir, out, { format: 'hf' })).rejects.toThrow('9 labels for a head of 10');
    expect(existsSync(out)).toBe(false);
  });

  it('of weights that are not finite is refused with the tensor, its place, and the newest checkpoint before that is', async () => {
    const { dir } = await trainedRun();
    const restored = await restoreAt({ dir, checkpoint: 30, say: () => {} });
    restored.tensors.parameters.get('head.bias')!.data[3] = Number.NaN;
    const refused = exportedCheckpoint(dir, restored, ExportSettings.parse({ format: 'hf' }));
    await expect(refused).rejects.toThrow('head.bias[3] is NaN; export an earlier checkpoint (last finite: step-24)');
  });

  it.each([
    [1.001e-6, null],
    [1e-3, 'layerNormEps 0.001 cannot be written in a timm folder; use --to hf or onnx'],
  ])('with epsilon %s goes to timm, which computes with its own, only where the logits allow it', async (layerNormEps, message) => {
    const [dir, out] = [path.join(temporaryFolder(), 'run'), path.join(temporaryFolder(), 'timm')];
    await trainTiny(dir, { model: { layerNormEps } });
    const given = exported(dir, out, { format: 'timm', verify: false });
    if (message === null) expect((await given).snippet).toContain('norm_layer=partial(torch.nn.LayerNorm, eps=0.000001001)');
    else await expect(given).rejects.toThrow(message);
    expect(readdirSync(path.dirname(out))).toEqual(message === null ? ['timm'] : []);
  });

  it('without averaged weights refuses to give them', async () => {
    const { dir } = await trainedRun();
    await expect(exported(dir, path.join(temporaryFolder(), 'hf'), { format: 'hf', weights: 'average' })).rejects.toThrow(
      'this checkpoint holds no averaged weights',
    );
  });
});

describe('averaged weights', { timeout: 60_000 }, () => {
  it('are what is exported unless the trained ones are asked for; each is checked against itself', async () => {
    const dir = path.join(temporaryFolder(), 'averaged');
    await trainTiny(dir, { train: { emaDecay: 0.9, keepCheckpoints: 20 } });
    const folder = temporaryFolder();
    const weights = async (name: string) =>
      (await readSafetensors(path.join(folder, name, 'model.safetensors'))).get('classifier.weight')!.data;
    for (const [name, given] of [
      ['evaluated', {}],
      ['average', { weights: 'average' }],
      ['trained', { weights: 'trained' }],
    ] as const) {
      expect((await exported(dir, path.join(folder, name), { format: 'hf', ...given })).status).toBe('passed');
    }
    expect(await weights('evaluated')).toEqual(await weights('average'));
    expect(await weights('evaluated')).not.toEqual(await weights('trained'));
    const card = (name: string) => readFileSync(path.join(folder, name, 'README.md'), 'utf8');
    expect(card('evaluated')).toContain('| validation | 20 |');
    expect(card('trained')).toContain('These weights were not evaluated at step 30.');
  });
});

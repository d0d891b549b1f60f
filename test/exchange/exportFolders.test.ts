/**
 * Folders for transformers, PEFT and timm: the files are those that these libraries were seen to load (test/reference/exports, written by
 * interop.test.ts), our model computes the logits that they printed, and a file that is wrong in any way is found.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { allModules } from '../../main/core/modules.ts';
import { hiddenDim, parameterShapes, sizeOf } from '../../main/core/parameterShapes.ts';
import type { ExportSource } from '../../main/exchange/exportSource.ts';
import { foreignPlace, toForeign, toNative } from '../../main/exchange/foreignNames.ts';
import { hfModule, moduleKey } from '../../main/exchange/peftAdapter.ts';
import { readExport } from '../../main/exchange/readExport.ts';
import { timmConfig, timmRatio } from '../../main/exchange/timmFolder.ts';
import { sumOf, verifyFolder } from '../../main/exchange/verifyFolder.ts';
import { writeContent } from '../../main/exchange/writeContent.ts';
import { mergeAdapters } from '../../main/lora/merge.ts';
import type { ExportedFile, TensorFormat } from '../../main/protocol/exports.ts';
import { readSafetensors, TORCH_METADATA, writeSafetensors } from '../../main/store/safetensors.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { GOLDEN, relativeError } from '../support/tolerance.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { allFolders, exportedModel, GOLDEN_FILE, ourLogits } from './exportedModel.ts';

const golden = JSON.parse(readFileSync(GOLDEN_FILE, 'utf8')) as { files: Record<string, string>; logits: Record<string, number[][]> };

describe('the golden model', () => {
  const source = exportedModel();
  beforeAll(() => startBackend('cpu'));

  async function written(): Promise<{ folder: string; files: ExportedFile[] }> {
    const folder = temporaryFolder();
    return { folder, files: await writeContent(folder, allFolders(source)) };
  }

  it('is written as the files that transformers, PEFT and timm loaded', async () => {
    const { files } = await written();
    expect(Object.fromEntries(files.map(({ name, sha256 }) => [name, sha256]))).toEqual(golden.files);
  });

  it.each(['hf', 'peft', 'merged', 'timm'])('has, loaded as %s, the logits that our model computes', async (kind) => {
    const format = kind === 'merged' ? 'hf' : (kind as TensorFormat);
    const place = kind === 'merged' ? 'peft/merged' : kind;
    const { folder } = await written();
    const { model, parameters, adapters } = await readExport(path.join(folder, place), format, source.config.model);
    expect(relativeError(ourLogits(mergeAdapters(parameters, adapters), model), golden.logits[kind]!.flat())).toBeLessThan(GOLDEN);
  });

  it.each(['hf', 'peft', 'timm'] as const)('passes every check of its files: %s', async (format) => {
    const { folder, files } = await written();
    const own = below(files, format);
    const { checks } = await verifyFolder(path.join(folder, format), format, source, own);
    expect(checks.map(({ id, status, detail }) => [id, status, detail])).toEqual([
      ['V1', 'passed', `${own.length} files`],
      ['V2', 'passed', expect.stringContaining('equal to the last bit')],
      ['V3', 'passed', expect.stringMatching(/^\d+ fields$/)],
    ]);
  });
});

function below(files: readonly ExportedFile[], folder: string): ExportedFile[] {
  return files.filter(({ name }) => name.startsWith(`${folder}/`)).map((file) => ({ ...file, name: file.name.slice(folder.length + 1) }));
}

/** As if the writer itself had been wrong: sizes and sums are those of the changed file. */
async function checksAfter(format: TensorFormat, file: string, change: (place: string) => void | Promise<void>) {
  const source = exportedModel();
  const folder = temporaryFolder();
  const files = below(await writeContent(folder, allFolders(source)), format);
  const place = path.join(folder, format, file);
  await change(place);
  const told = await Promise.all(files.map(async ({ name }) => ({ name, ...(await sumOf(path.join(folder, format, name))) })));
  const [untold, known] = await Promise.all([files, told].map((own) => verifyFolder(path.join(folder, format), format, source, own)));
  expect(untold!.checks[0]).toMatchObject({ status: 'failed', detail: expect.stringContaining(file) });
  return known!.checks.filter(({ status }) => status === 'failed').map(({ id, detail }) => `${id} ${detail}`);
}

/** Sets one field of a JSON file; the place is its keys from the top. */
function set(keys: readonly string[], value: unknown): (place: string) => void {
  return (place) => {
    const file = JSON.parse(readFileSync(place, 'utf8')) as Record<string, unknown>;
    let inner = file;
    for (const key of keys.slice(0, -1)) inner = inner[key] as Record<string, unknown>;
    inner[keys.at(-1) as string] = value;
    writeFileSync(place, JSON.stringify(file));
  };
}

function tensors(change: (all: Awaited<ReturnType<typeof readSafetensors>>) => void): (place: string) => Promise<void> {
  return async (place) => {
    const all = await readSafetensors(place);
    change(all);
    rmSync(place);
    await writeSafetensors(place, all, TORCH_METADATA);
  };
}

const QUERY = 'vit.encoder.layer.1.attention.attention.query.weight';
const ADAPTER = 'base_model.model.vit.encoder.layer.0.attention.attention.query.lora_A.weight';

describe('what is wrong in the files is found:', () => {
  it.each<[string, TensorFormat, string, (place: string) => void | Promise<void>, string]>([
    [
      'one value',
      'hf',
      'model.safetensors',
      tensors((all) => {
        all.get('classifier.bias')!.data[3] = 7;
      }),
      'V2 head.bias[3]: is 7, not',
    ],
    [
      'a square weight that was not turned',
      'hf',
      'model.safetensors',
      tensors((all) => void all.set(QUERY, { shape: [32, 32], data: exportedModel().merged.get('blocks.1.attn.q.weight')!.data })),
      'V2 blocks.1.attn.q.weight[1]: is ',
    ],
    ['a tensor less', 'timm', 'model.safetensors', tensors((all) => void all.delete('norm.bias')), 'norm.bias'],
    [
      'a tensor more',
      'hf',
      'model.safetensors',
      tensors((all) => void all.set('extra', { shape: [1], data: new Float32Array(1) })),
      'extra',
    ],
    ['the epsilon', 'hf', 'config.json', set(['layer_norm_eps'], 1e-12), 'layer_norm_eps: is 1e-12'],
    ['the activation', 'hf', 'config.json', set(['hidden_act'], 'gelu_new'), 'hidden_act is "gelu_new"'],
    ['the heads', 'hf', 'config.json', set(['num_attention_heads'], 2), 'numHeads: is 2, not 4'],
    ['a label', 'hf', 'config.json', set(['id2label', '2'], 'dog'), 'V3 labels'],
    ['the mean', 'hf', 'preprocessor_config.json', set(['image_mean'], [0, 0, 0]), 'V3 mean'],
    ['the filter', 'hf', 'preprocessor_config.json', set(['resample'], 3), 'resample is 3, not 2'],
    ['the hidden width', 'timm', 'config.json', set(['model_args', 'mlp_ratio'], 1.49), 'hidden width of mlp_ratio: is 47'],
    ['a rank', 'peft', 'adapter/adapter_config.json', set(['rank_pattern', moduleKey('blocks.0.attn.q')], 4), 'rank_pattern says 4'],
    ['an alpha', 'peft', 'adapter/adapter_config.json', set(['alpha_pattern', moduleKey('blocks.0.attn.q')], 9), 'V3 ranks and alphas'],
    [
      'targets that hit more modules',
      'peft',
      'adapter/adapter_config.json',
      set(['target_modules'], '.*(dense|query|key|value|q_proj|k_proj|v_proj|o_proj|fc1|fc2)'),
      '0 patterns match it, one must',
    ],
    [
      'one of two names',
      'peft',
      'adapter/adapter_model.safetensors',
      tensors((all) => void all.get(ADAPTER)!.data.fill(0)),
      'differs from its other name',
    ],
    [
      'a matrix less',
      'peft',
      'adapter/adapter_model.safetensors',
      tensors((all) => {
        for (const name of all.keys()) if (/layers?\.0\..*(query|q_proj).*_B/.test(name)) all.delete(name);
      }),
      'has one of its two matrices',
    ],
  ])('%s (%s, %s)', async (_, format, file, change, message) => {
    expect((await checksAfter(format, file, change)).join('\n')).toContain(message);
  });
});

const geometry = fc.record({
  grid: fc.integer({ min: 1, max: 3 }),
  patchSize: fc.integer({ min: 1, max: 4 }),
  inChannels: fc.integer({ min: 1, max: 4 }),
  heads: fc.integer({ min: 1, max: 3 }),
  headDim: fc.integer({ min: 8, max: 9 }),
  depth: fc.integer({ min: 1, max: 2 }),
  mlpRatio: fc.double({ min: 0.5, max: 8, noNaN: true }),
  qkvBias: fc.boolean(),
});

test('every tensor comes back from every vocabulary, whatever the geometry', () => {
  fc.assert(
    fc.property(geometry, ({ grid, heads, headDim, ...own }) => {
      const imageSize = Math.max(8, grid * own.patchSize);
      const model = { ...tinyConfig().model, ...own, imageSize, numHeads: heads, embedDim: heads * headDim };
      for (const [name, shape] of parameterShapes({ ...model, imageSize: grid * own.patchSize })) {
        const values = Float32Array.from({ length: sizeOf(shape) }, (_, index) => index + 1);
        for (const vocabulary of ['classic', 'renamed', 'timm'] as const) {
          const place = foreignPlace(name, shape, model, vocabulary);
          const there = new Float32Array(sizeOf(place.shape));
          const part = toForeign(values, place, model);
          there.set(part, (place.third ?? 0) * part.length);
          expect(toNative(there, place, model)).toEqual(values);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('each pattern of PEFT hits its own module in both vocabularies and no other, at any depth', () => {
  const { model } = exportedModel({ depth: 24 }).config;
  const modules = allModules(24);
  for (const vocabulary of ['classic', 'renamed'] as const) {
    const names = modules.map((module) => hfModule(module, model, vocabulary));
    for (const [index, module] of modules.entries()) {
      const pattern = new RegExp(`^(.*\\.)?(${moduleKey(module)})$`);
      expect(names.filter((name) => pattern.test(name))).toEqual([names[index]]);
    }
  }
});

test('timm gets our hidden width from the ratio that is written, for every width and ratio that we allow', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 4096 }), fc.double({ min: 0.5, max: 8, noNaN: true }), (embedDim, mlpRatio) => {
      const model = { ...tinyConfig().model, embedDim, mlpRatio };
      expect(Math.trunc(embedDim * timmRatio(model))).toBe(hiddenDim(model));
    }),
    { numRuns: 2000 },
  );
});

test.each<[Partial<ExportSource['config']['model']>, string]>([
  [{ embedDim: 192, patchSize: 16 }, 'vit_tiny_patch16_224'],
  [{ embedDim: 384, patchSize: 32 }, 'vit_small_patch32_224'],
  [{ embedDim: 1280, patchSize: 14 }, 'vit_huge_patch14_224'],
  [{ embedDim: 200, patchSize: 4 }, 'vit_tiny_patch16_224'],
])('%o is called %s', (changes, name) => {
  expect(timmConfig({ ...tinyConfig().model, ...changes }, []).architecture).toBe(name);
});

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
import { type Layout, readExport } from '../../main/exchange/readExport.ts';
import { timmConfig, timmRatio } from '../../main/exchange/timmFolder.ts';
import { sumOf, verifyFolder } from '../../main/exchange/verifyFolder.ts';
import { writeContent } from '../../main/exchange/writeContent.ts';
import { mergeAdapters } from '../../main/lora/merge.ts';
import type { ExportedFile } from '../../main/protocol/exports.ts';
import { readSafetensors, TORCH_METADATA, writeSafetensors } from '../../main/store/safetensors.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { GOLDEN, relativeError } from '../support/tolerance.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { allFolders, exportedModel, GOLDEN_FILE, ourLogits, sinceFreeze } from './exportedModel.ts';

const golden = JSON.parse(readFileSync(GOLDEN_FILE, 'utf8')) as { files: Record<string, string>; logits: Record<string, number[][]> };

/** Folders of `allFolders`, and how they are read. */
const PLACES = { hf: 'hf', peft: 'peft', timm: 'timm', 'peft-freeze': 'peft', 'peft-timm': 'peft-timm' } as const;
type Place = keyof typeof PLACES;

function sourceOf(place: Place): ExportSource {
  return place === 'peft-freeze' ? sinceFreeze(exportedModel()) : exportedModel();
}

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

  it.each(['merged', ...Object.keys(PLACES)])('has, loaded as %s, the logits that our model computes', async (kind) => {
    const format: Layout = kind === 'merged' ? 'hf' : PLACES[kind as Place];
    const place = kind === 'merged' ? 'peft/merged' : kind;
    const { folder } = await written();
    const { model, parameters, adapters } = await readExport(path.join(folder, place), format, source.config.model);
    expect(relativeError(ourLogits(mergeAdapters(parameters, adapters), model), golden.logits[kind]!.flat())).toBeLessThan(GOLDEN);
  });

  it.each(Object.keys(PLACES) as Place[])('passes every check of its files: %s', async (place) => {
    const { folder, files } = await written();
    const own = below(files, place);
    const { checks } = await verifyFolder(path.join(folder, place), PLACES[place], sourceOf(place), own);
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
async function checksAfter(format: Place, file: string, change: (place: string) => void | Promise<void>) {
  const source = sourceOf(format);
  const folder = temporaryFolder();
  const files = below(await writeContent(folder, allFolders(source)), format);
  const place = path.join(folder, format, file);
  await change(place);
  const told = await Promise.all(files.map(async ({ name }) => ({ name, ...(await sumOf(path.join(folder, format, name))) })));
  const [untold, known] = await Promise.all(
    [files, told].map((own) => verifyFolder(path.join(folder, format), PLACES[format], source, own)),
  );
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

/** One value becomes 7. */
function valued(name: string, index: number): (all: Awaited<ReturnType<typeof readSafetensors>>) => void {
  return (all) => {
    all.get(name)!.data[index] = 7;
  };
}

const QUERY = 'vit.encoder.layer.1.attention.attention.query.weight';
const ADAPTER = 'base_model.model.vit.encoder.layer.0.attention.attention.query.lora_A.weight';

const SAVED_HEAD = 'base_model.model.classifier.bias';
const SAVED_TOKEN = 'base_model.model.vit.embeddings.cls_token';
const FUSED_A = 'base_model.model.blocks.0.attn.qkv.lora_A.weight';
const FUSED_B = 'base_model.model.blocks.0.attn.qkv.lora_B.weight';
/** q has rank 2, k no adapter, v rank 8. */
const FUSED_RANK = 10;

type Tampering = [what: string, place: Place, file: string, change: (place: string) => void | Promise<void>, message: string];
type AdapterTampering = [what: string, change: (place: string) => void | Promise<void>, message: string];

function inFreeze(all: readonly AdapterTampering[]): Tampering[] {
  return all.map(([what, change, message]) => [what, 'peft-freeze', 'adapter/adapter_model.safetensors', change, message]);
}

function inTimm(all: readonly AdapterTampering[]): Tampering[] {
  return all.map(([what, change, message]) => [what, 'peft-timm', 'adapter/adapter_model.safetensors', change, message]);
}

describe('what is wrong in the files is found:', () => {
  it.each<[string, Place, string, (place: string) => void | Promise<void>, string]>([
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
    ...inFreeze([
      ['a value of a saved module', tensors(valued(SAVED_HEAD, 3)), 'V2 head.bias[3]: is 7, not'],
      ['a saved tensor less', tensors((all) => void all.delete(SAVED_TOKEN)), `${SAVED_TOKEN}: is missing; modules_to_save wants`],
      [
        'a saved tensor of one vocabulary less',
        tensors((all) => void all.delete('base_model.model.vit.layers.1.layernorm_before.bias')),
        'vit.layers.1.layernorm_before.bias: is missing',
      ],
      [
        'a saved tensor that differs from its other name',
        tensors(valued('base_model.model.vit.layers.0.attention.k_proj.bias', 0)),
        'k_proj.bias: differs from its other name',
      ],
      [
        'a saved tensor of another shape',
        tensors((all) => void all.set(SAVED_TOKEN, { ...all.get(SAVED_TOKEN)!, shape: [32] })),
        'has shape [32], not [1,1,32]',
      ],
    ]),
    [
      'a module to save less',
      'peft-freeze',
      'adapter/adapter_config.json',
      set(['modules_to_save'], ['classifier']),
      'belongs to no module',
    ],
    [
      'a module to save more',
      'peft',
      'adapter/adapter_config.json',
      set(['modules_to_save'], ['classifier']),
      'classifier.weight: is missing; modules_to_save wants',
    ],
    [
      'an ending that hits a module within the module',
      'peft-freeze',
      'adapter/adapter_config.json',
      set(['modules_to_save'], ['classifier', 'embeddings']),
      'modules_to_save hits vit.embeddings.patch_embeddings and vit.embeddings, which it lies in',
    ],
    [
      'a base that is not of the freeze',
      'peft-freeze',
      'base/model.safetensors',
      tensors(valued('classifier.bias', 2)),
      'V2 base/: head.bias[2]: is 7, not',
    ],
    ...inTimm([
      ['a fused value within its block', tensors(valued(FUSED_B, 0)), 'V2 blocks.0.attn.q.loraB[0]: is 7, not'],
      ['a fused value outside the blocks', tensors(valued(FUSED_B, FUSED_RANK - 1)), 'V2 blocks.0.attn.q.loraB'],
      ['a stacked value', tensors(valued(FUSED_A, 40)), 'V2 blocks.0.attn.q.loraA'],
      ['a fused matrix less', tensors((all) => void all.delete(FUSED_A)), 'blocks.0.attn.qkv: has one of its two matrices'],
      [
        'two fused matrices less',
        tensors((all) => void (all.delete(FUSED_A) && all.delete(FUSED_B))),
        'blocks.0.attn.qkv: is a target but has no tensors',
      ],
      ['a fused tensor more', tensors((all) => void all.set(`${FUSED_A}x`, all.get(FUSED_A)!)), 'belongs to no module'],
    ]),
    ...(
      [
        ['a fused rank', set(['rank_pattern', 'blocks.0.attn.qkv'], 4), 'rank_pattern wants [4,32] and [96,4]'],
        ['a fused alpha', set(['alpha_pattern', 'blocks.0.attn.qkv'], 9), 'V3 ranks and alphas'],
        ['fused targets that hit more modules', set(['target_modules'], ['qkv', 'proj', 'fc1', 'fc2']), 'patterns match it, one must'],
        ['a fused target less', set(['target_modules'], ['blocks.0.attn.qkv']), 'has tensors but is no target'],
        ['saved modules on timm', set(['modules_to_save'], ['head']), 'modules_to_save is ["head"], not null'],
      ] as const
    ).map(([what, change, message]): Tampering => [what, 'peft-timm', 'adapter/adapter_config.json', change, message]),
    ['the hidden width of its base', 'peft-timm', 'base/config.json', set(['model_args', 'mlp_ratio'], 1.49), 'hidden width of mlp_ratio'],
  ])('%s (%s, %s)', async (_, format, file, change, message) => {
    expect((await checksAfter(format, file, change)).join('\n')).toContain(message);
  });
});

test('a scale that is no power of two goes into the fused B, rounded once', async () => {
  const plain = exportedModel();
  const adapters = new Map([...plain.adapters].map(([module, own], index) => [module, { ...own, alpha: own.rank / (3 + index) }] as const));
  const source = { ...plain, adapters, merged: mergeAdapters(plain.parameters, adapters) };
  const folder = temporaryFolder();
  const files = below(await writeContent(folder, allFolders(source)), 'peft-timm');
  const { checks } = await verifyFolder(path.join(folder, 'peft-timm'), 'peft-timm', source, files);
  expect(checks.map(({ status }) => status)).toEqual(['passed', 'passed', 'passed']);
  const stored = await readSafetensors(path.join(folder, 'peft-timm/adapter/adapter_model.safetensors'));
  const { shape, data } = stored.get('base_model.model.blocks.1.attn.qkv.lora_B.weight')!;
  const ranks = ['q', 'k', 'v'].map((family) => adapters.get(`blocks.1.attn.${family}`)!.rank);
  const [q, k] = ranks as [number, number];
  expect(shape).toEqual([96, ranks.reduce((sum, rank) => sum + rank)]);
  // Output 5 of v, its rank's second row.
  const loraB = source.parameters.get('blocks.1.attn.v.loraB')!.data[1 * 32 + 5]!;
  const { rank, alpha } = adapters.get('blocks.1.attn.v')!;
  expect(data[(2 * 32 + 5) * shape[1]! + q + k + 1]).toBe(Math.fround((alpha / rank) * loraB));
});

test('whatever is adapted, with any alpha, both other forms of adapter read back as what was written', async () => {
  const whole = exportedModel();
  const modules = fc.subarray([...whole.adapters.keys()], { minLength: 1 });
  const alphas = fc.array(fc.double({ min: 0.1, max: 64, noNaN: true }), { minLength: 15, maxLength: 15 });
  await fc.assert(
    fc.asyncProperty(modules, alphas, async (adapted, values) => {
      const adapters = new Map(adapted.map((name, index) => [name, { ...whole.adapters.get(name)!, alpha: values[index]! }] as const));
      const kept = [...whole.parameters].filter(([name]) => !/lora[AB]$/.test(name) || adapters.has(name.replace(/\.lora[AB]$/, '')));
      const parameters = new Map(kept);
      const source = { ...whole, adapters, parameters, merged: mergeAdapters(parameters, adapters) };
      const folder = temporaryFolder();
      const files = await writeContent(folder, allFolders(source));
      for (const [place, own] of [
        ['peft-freeze', sinceFreeze(source)],
        ['peft-timm', source],
      ] as const) {
        const { checks } = await verifyFolder(path.join(folder, place), PLACES[place], own, below(files, place));
        expect(checks.filter(({ status }) => status !== 'passed')).toEqual([]);
      }
    }),
    { numRuns: 12 },
  );
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

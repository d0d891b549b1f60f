/**
 * Start weights of transformers and timm (test/reference/start_weights.py): our model on the imported tensors computes their logits; a
 * run trains on from them; what does not fit is refused with tensor, shape wanted and shape found.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { patchDim, tokenCount } from '../../main/core/parameterShapes.ts';
import { tf } from '../../main/engine/tf.ts';
import { readStartWeights as readForeign } from '../../main/exchange/startWeights.ts';
import { describeStartWeights, readStartWeights } from '../../main/host/startWeights.ts';
import { plainLinear, vit } from '../../main/model/vit.ts';
import type { ModelShape } from '../../main/protocol/config.ts';
import { readRecords } from '../../main/store/runFolder.ts';
import { readSafetensors, TORCH_METADATA, writeSafetensors } from '../../main/store/safetensors.ts';
import { startRun } from '../../main/train/startRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { tinyConfig as trainableConfig, trainTiny } from '../train/tinyTraining.ts';

const FOLDER = fileURLToPath(new URL('../reference/start_weights', import.meta.url));
const golden = JSON.parse(readFileSync(path.join(FOLDER, 'logits.json'), 'utf8')) as {
  inputs: number[][][][];
  logits: { hf: number[][]; timm: number[][] };
};
const SHAPE = { imageSize: 8, patchSize: 4, embedDim: 8, depth: 2, numHeads: 2, mlpRatio: 2.5, inChannels: 1, numClasses: 3 } as const;
const model = (changes: Partial<ModelShape> = {}): ModelShape => tinyConfig({ model: { ...SHAPE, layerNormEps: 1e-5, ...changes } }).model;

function logits(tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>, shape: ModelShape): number[] {
  const parameters = Object.fromEntries([...tensors].map(([name, { data, shape: own }]) => [name, tf.tensor(data, [...own])]));
  const grid = shape.imageSize / shape.patchSize;
  const patches = golden.inputs.flatMap(([image]) =>
    Array.from({ length: grid * grid }, (_, patch) =>
      Array.from({ length: patchDim(shape) }, (_, at) => {
        const y = Math.floor(patch / grid) * shape.patchSize + Math.floor(at / shape.patchSize);
        return image![y]![(patch % grid) * shape.patchSize + (at % shape.patchSize)]!;
      }),
    ).flat(),
  );
  const input = tf.tensor3d(patches, [golden.inputs.length, tokenCount(shape) - 1, patchDim(shape)]);
  const context = { model: shape, parameters, isTrainable: () => false } as unknown as Parameters<typeof vit>[1];
  return [...vit(input, { ...context, linear: plainLinear(context) }).dataSync()];
}

describe('logits', () => {
  beforeAll(() => startBackend('cpu'));
  test.each([
    ['a Hugging Face folder', 'hf', 'hf', 1e-5],
    ['a bare file with the names of transformers 5.9', 'renamed.safetensors', 'hf', 1e-5],
    ['a timm folder', 'timm', 'timm', 1e-6],
    ['a bare timm file', 'timm/model.safetensors', 'timm', 1e-6],
  ] as const)('of %s are those of its own library', async (_, source, library, layerNormEps) => {
    const shape = model({ layerNormEps });
    const { tensors } = await readForeign(path.join(FOLDER, source), shape);
    const wanted = golden.logits[library].flat();
    logits(tensors, shape).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 4);
    });
  });
});

test('a head for other classes stays random, and that is said', async () => {
  const { tensors, notes } = await readForeign(path.join(FOLDER, 'hf'), model({ numClasses: 5 }));
  expect(tensors.has('head.weight')).toBe(false);
  expect(notes).toEqual(['the weights have a head for 3 classes, the data has 5: the head starts from random values']);
});

test.each<[string, Partial<ModelShape>, string]>([
  ['width', { embedDim: 16 }, 'projection.weight: has shape [8,1,4,4], the config wants [16,1,4,4]; 38 tensors more differ'],
  ['image size', { imageSize: 16 }, 'has shape [1,5,8], the config wants [1,17,8]; they were trained at 8 px: set model.imageSize to that'],
  ['channels', { inChannels: 3 }, 'projection.weight: has shape [8,1,4,4], the config wants [8,3,4,4]'],
  ['depth, too many', { depth: 3 }, 'the config wants 16 tensors more: encoder.layer.2'],
  ['depth, too few', { depth: 1 }, "the config's model has no place for 16 tensors: encoder.layer.1"],
  ['heads', { numHeads: 4 }, 'was trained with numHeads 2, the config says 4: set model.numHeads to 2'],
  ['epsilon', { layerNormEps: 1e-6 }, 'was trained with layerNormEps 0.00001, the config says 0.000001'],
])('another %s is refused with what was wanted and found', async (_, changes, message) => {
  await expect(readForeign(path.join(FOLDER, 'hf'), model(changes))).rejects.toThrow(message);
});

async function withTensors(change: (tensors: Map<string, { shape: readonly number[]; data: Float32Array }>) => void): Promise<string> {
  const tensors = await readSafetensors(path.join(FOLDER, 'timm/model.safetensors'));
  change(tensors);
  const file = path.join(temporaryFolder(), 'changed.safetensors');
  await writeSafetensors(file, tensors, TORCH_METADATA);
  return file;
}

test.each([
  ['dist_token', 'DeiT distillation token: not representable'],
  ['reg_token', 'timm variant with reg_token: not representable'],
  ['blocks.0.ls1.gamma', 'timm variant with blocks.0.ls1.gamma: not representable'],
  ['blocks.0.attn.q.lora_A.weight', 'is an adapter; import its base, or merge first'],
  ['extra', "the config's model has no place for 1 tensor: extra"],
])('a file with %s is refused', async (name, message) => {
  const file = await withTensors((tensors) => tensors.set(name, { shape: [1], data: new Float32Array(1) }));
  await expect(readForeign(file, model({ layerNormEps: 1e-6 }))).rejects.toThrow(message);
});

test('pickles, other models and nothing at all are refused', async () => {
  const folder = temporaryFolder();
  await expect(readForeign(path.join(folder, 'none'), model())).rejects.toThrow('no such file or folder');
  writeFileSync(path.join(folder, 'pytorch_model.bin'), '');
  await expect(readForeign(folder, model())).rejects.toThrow('is a pickle or archive that can run code');
  cpSync(path.join(FOLDER, 'hf'), folder, { recursive: true });
  const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ ...config, hidden_act: 'gelu_new' }));
  await expect(readForeign(folder, model())).rejects.toThrow('hidden_act is "gelu_new"; only gelu can be imported');
});

test('shards are read through their index, which may not lead outside the folder', async () => {
  const folder = temporaryFolder();
  cpSync(path.join(FOLDER, 'hf'), folder, { recursive: true });
  const all = [...(await readSafetensors(path.join(folder, 'model.safetensors')))];
  const parts = { 'a.safetensors': all.slice(0, 9), 'b.safetensors': all.slice(9) };
  for (const [name, tensors] of Object.entries(parts)) await writeSafetensors(path.join(folder, name), new Map(tensors), TORCH_METADATA);
  rmSync(path.join(folder, 'model.safetensors'));
  const index = path.join(folder, 'model.safetensors.index.json');
  const map = Object.fromEntries(Object.entries(parts).flatMap(([file, tensors]) => tensors.map(([name]) => [name, file])));
  writeFileSync(index, JSON.stringify({ weight_map: map }));
  const whole = await readForeign(path.join(FOLDER, 'hf'), model());
  expect((await readForeign(folder, model())).tensors).toEqual(whole.tensors);
  writeFileSync(index, JSON.stringify({ weight_map: { ...map, x: '../a.safetensors' } }));
  await expect(readForeign(folder, model())).rejects.toThrow('is not a plain file name');
});

test('the sizes of weights are told, and what only the user knows is left open', async () => {
  const hf = await describeStartWeights(path.join(FOLDER, 'hf'));
  expect(hf).toEqual({ kind: 'Hugging Face', notes: [], model: { size: 'custom', ...SHAPE, qkvBias: true, layerNormEps: 1e-5 } });
  const bare = await describeStartWeights(path.join(FOLDER, 'timm/model.safetensors'));
  expect(bare.model).toMatchObject({ ...SHAPE, numHeads: null, layerNormEps: null });
});

test('a run starts from the weights of another run, adapters merged, and journals it', { timeout: 60_000 }, async () => {
  const source = path.join(temporaryFolder(), 'source');
  await trainTiny(source, {});
  const config = trainableConfig({ model: { startFrom: source } });
  const run = await startRun(config, path.join(temporaryFolder(), 'run'), { readStartWeights });
  const { tensors, notes } = await readStartWeights(source, run.state.config.model);
  expect([...tensors.keys()].some((name) => name.includes('lora'))).toBe(false);
  run.options.store.close();
  const [event] = (await readRecords(run.options.store.dir, 'events')).filter(({ kind }) => kind === 'start-weights');
  expect(event?.detail).toEqual({ from: source, notes });
});

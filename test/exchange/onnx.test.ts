/**
 * The ONNX export against what others computed: the node list of formats.md section 6 written out by test/fixtures/onnx/golden.py, the logits of
 * transformers through onnxruntime-web, and the file's bytes through protobufjs's reflection and ONNX's own field numbers.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { patchDim, tokenCount } from '../../main/core/parameterShapes.ts';
import { tf } from '../../main/engine/tf.ts';
import { checkOnnx } from '../../main/exchange/onnxCheck.ts';
import { type OnnxOptions, type OnnxSource, writeOnnx } from '../../main/exchange/onnxFile.ts';
import { onnxGraph } from '../../main/exchange/onnxModel.ts';
import { type OnnxContents, readOnnx, readOnnxTensor } from '../../main/exchange/onnxReading.ts';
import { onnxLogits, pixelValues } from '../../main/exchange/onnxRuntime.ts';
import { plainLinear, vit } from '../../main/model/vit.ts';
import type { ModelShape } from '../../main/protocol/config.ts';
import type { Tensor } from '../../main/store/safetensors.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { expectClose, REWRITTEN } from '../support/tolerance.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { CASES, type Case, drawnPixels, FIXTURES, GOLDEN_LOGITS, modelOf, sourceOf } from './onnxModels.ts';

const names = Object.keys(CASES) as Case[];
const OPSETS = [17, 20] as const;

async function written(source: OnnxSource, options: OnnxOptions = {}): Promise<string> {
  const folder = temporaryFolder();
  await writeOnnx(folder, source, options);
  return folder;
}

const readModel = (folder: string) => readOnnx(path.join(folder, 'model.onnx'));

/** One node per line, `%n` being the n-th node's output, constants by their values: as golden.py writes it. */
async function nodeList({ nodes, initializers }: OnnxContents, model: ModelShape): Promise<string> {
  const places = new Map(nodes.map(({ outputs }, i) => [outputs[0], `%${i}`]));
  const weights = sourceOf(model).tensors;
  const named = async (name: string): Promise<string> => {
    const tensor = initializers.get(name);
    if (!tensor || weights.has(name)) return places.get(name) ?? name;
    const values = Array.from(await readOnnxTensor(tensor), Number);
    return tensor.shape.length === 0 ? `${tensor.type} ${values}` : `${tensor.type}[${values.join(', ')}]`;
  };
  const lines = nodes.map(async ({ op, inputs, attributes }) => {
    const texts = Object.entries(attributes).map(
      ([key, value]) => ` ${key}=${JSON.stringify(Object.values(value)[0]).replaceAll(',', ', ')}`,
    );
    return `${op}(${(await Promise.all(inputs.map(named))).join(', ')})${texts.sort().join('')}\n`;
  });
  return (await Promise.all(lines)).join('');
}

test.each(OPSETS)('the nodes of opset %i are those of the format, in its order', async (opset) => {
  const model = modelOf('plain');
  const contents = await readModel(await written(sourceOf(model), { opset }));
  expect(await nodeList(contents, model)).toBe(readFileSync(path.join(FIXTURES, `nodes-${opset}.txt`), 'utf8'));
});

test('twelve layers are 408 nodes, every name there once', () => {
  const { nodes } = onnxGraph(modelOf('plain', { depth: 12 }), 17);
  expect(nodes).toHaveLength(408);
  expect(new Set(nodes.map(({ name }) => name)).size).toBe(408);
});

describe('logits through onnxruntime-web', () => {
  test.each(
    names.flatMap((name) => OPSETS.flatMap((opset) => [{}, { externalAbove: 0 }].map((more) => [name, { opset, ...more }] as const))),
  )('%s, %o: those of transformers, four images or one', async (name, options) => {
    const model = modelOf(name);
    const folder = await written(sourceOf(model), options);
    const pixels = drawnPixels(model);
    const together = await onnxLogits(folder, pixels);
    expect(together?.runtime).toMatch(/^onnxruntime-/);
    expectClose(together!.logits, GOLDEN_LOGITS[name].flat(), REWRITTEN);
    const third: Tensor = {
      shape: [1, ...pixels.shape.slice(1)],
      data: pixels.data.slice(pixels.data.length / 2, (pixels.data.length * 3) / 4),
    };
    expectClose((await onnxLogits(folder, third))!.logits, GOLDEN_LOGITS[name][2]!, REWRITTEN);
  });

  test('without a runtime the answer is none, which is not a pass', async () => {
    for (const name of ['onnxruntime-node', 'onnxruntime-web']) {
      vi.doMock(name, () => {
        throw new Error('not installed');
      });
      onTestFinished(() => void vi.doUnmock(name));
    }
    const source = sourceOf(modelOf('plain'));
    expect(await onnxLogits(await written(source), drawnPixels(source.model))).toBeNull();
  });

  describe('and our own model', () => {
    beforeAll(() => startBackend('cpu'));
    test('patches are the pixels that the file takes, for more images than one call does', async () => {
      const source = sourceOf(modelOf('plain'));
      const { model } = source;
      const patches = tf.randomUniform([11, tokenCount(model) - 1, patchDim(model)], -2, 2, 'float32', 5) as Parameters<typeof vit>[0];
      const parameters = Object.fromEntries(
        [...source.tensors].map(([name, { shape, data }]) => [name, tf.tensor(data as Float32Array, [...shape])]),
      );
      const context = { model, parameters, isTrainable: () => false } as unknown as Parameters<typeof vit>[1];
      const own = vit(patches, { ...context, linear: plainLinear(context) }).dataSync();
      const through = await onnxLogits(await written(source), pixelValues(patches.dataSync() as Float32Array, model));
      expectClose(through!.logits, own, REWRITTEN);
    });
  });
});

describe('the checks', () => {
  test.each(names.flatMap((name) => OPSETS.flatMap((opset) => [0, 1e9].map((externalAbove) => ({ name, opset, externalAbove })))))(
    'pass for $name, opset $opset, outside above $externalAbove bytes',
    async ({ name, ...options }) => {
      const source = sourceOf(modelOf(name));
      const checks = await checkOnnx(await written(source, options), source, options.opset);
      expect(checks.map(({ id, status }) => `${id} ${status}`)).toEqual(['V1 passed', 'V2 passed', 'V3 passed']);
    },
  );

  /** The same folder, held against another model. */
  test.each<[string, (source: OnnxSource) => OnnxSource, string, string]>([
    ['a weight', (source) => withBit(source, 'blocks.1.mlp.fc2.weight', 7), 'V2', 'blocks.1.mlp.fc2.weight[7]: is '],
    ['a bit of the patch kernel', (source) => withBit(source, 'patchEmbed.weight', 40), 'V2', 'patchEmbed.weight[40]: is '],
    ['more layers', (source) => sourceOf({ ...source.model, depth: 4 }), 'V2', 'missing: blocks.3.norm1.weight, '],
    ['fewer layers', (source) => sourceOf({ ...source.model, depth: 2 }), 'V2', 'not of the model: blocks.2.norm1.weight, '],
    ['epsilon', (source) => withModel(source, { layerNormEps: 1e-12 }), 'V3', 'layerNormEps: is [{"axis":-1,"epsilon":9.99'],
    ['heads', (source) => withModel(source, { numHeads: 8 }), 'V3', 'numHeads: is [[0,32,9],[0,10,4,8],[0,10,32]], the model has '],
    ['a class', (source) => ({ ...source, classes: [...source.classes.slice(1), 'z'] }), 'V3', 'labels.txt: its lines are not the classes'],
    ['fewer classes', (source) => ({ ...source, classes: ['a'] }), 'V3', 'labels.txt: 1 labels for a head of 5'],
    [
      'metadata',
      (source) => ({ ...source, metadata: { ...source.metadata, run: 'r' } }),
      'V3',
      'prelora.run: is {"name":"é"}, the model has "r"',
    ],
  ])('find another %s', async (_, change, check, fault) => {
    const source = sourceOf(modelOf('plain'));
    const checks = await checkOnnx(await written(source), change(source));
    const failed = checks.find(({ status }) => status === 'failed');
    expect(failed?.id).toBe(check);
    expect(failed?.detail).toContain(fault);
  });

  test('find the other opset', async () => {
    const source = sourceOf(modelOf('plain'));
    const [, second, third] = await checkOnnx(await written(source), source, 20);
    expect(second).toMatchObject({ status: 'failed', detail: 'not of the model: const.half, const.sqrt2, const.one' });
    expect(third).toMatchObject({ status: 'failed', detail: 'opset: is [8,17], the model has [9,20]' });
  });

  test('say what is wrong with a file that cannot be read, and that the rest was not run', async () => {
    const source = sourceOf(modelOf('plain'));
    const folder = await written(source);
    const file = path.join(folder, 'model.onnx');
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    const checks = await checkOnnx(folder, source);
    expect(checks.map(({ id, status }) => `${id} ${status}`)).toEqual(['V1 failed', 'V2 notRun', 'V3 notRun']);
    expect(checks[0]?.detail).toMatch(/^unsafe-tensors: .*model\.onnx: model: field 14 has \d+ bytes, \d+ are left$/);
  });
});

function withModel(source: OnnxSource, changes: Partial<ModelShape>): OnnxSource {
  return { ...source, model: { ...source.model, ...changes } };
}

/** The last bit of one value is another. */
function withBit(source: OnnxSource, name: string, index: number): OnnxSource {
  const { shape, data } = source.tensors.get(name) as Tensor;
  const changed = data.slice();
  new Uint32Array(changed.buffer)[index]! ^= 1;
  return { ...source, tensors: new Map(source.tensors).set(name, { shape, data: changed }) };
}

describe('writing', () => {
  const source = sourceOf(modelOf('plain'));

  test('fetches each tensor once, when those before it are in the file', async () => {
    const folder = temporaryFolder();
    const fetched: string[] = [];
    let [expected, atLeast] = [0, [] as number[]];
    const tensors = new Map(
      [...source.tensors].map(([name, { shape, data }]) => [name, { shape, data: async () => fetch(name, data as Float32Array) }]),
    );
    const fetch = (name: string, data: Float32Array): Float32Array => {
      fetched.push(name);
      atLeast.push(statSync(path.join(folder, 'model.onnx')).size - expected);
      expected += data.byteLength;
      return data;
    };
    await writeOnnx(folder, { ...source, tensors });
    expect(fetched).toEqual([...source.tensors.keys()]);
    expect(Math.min(...atLeast)).toBeGreaterThan(0);
    expect(readFileSync(path.join(folder, 'model.onnx'))).toEqual(readFileSync(path.join(await written(source), 'model.onnx')));
  });

  test('leaves small tensors in the model, gives large ones aligned places', async () => {
    const folder = temporaryFolder();
    const bytes = [...source.tensors.values()].reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
    expect((await writeOnnx(folder, source, { externalAbove: bytes })).map(({ name }) => name)).toEqual([
      'model.onnx',
      'model.onnx.data',
      'labels.txt',
    ]);
    const { initializers } = await readModel(folder);
    for (const [name, { shape, place }] of initializers) {
      const isLarge = shape.reduce((a, b) => a * b, 4) >= 1024;
      expect([name, path.basename(place.file)]).toEqual([name, isLarge ? 'model.onnx.data' : 'model.onnx']);
      if (isLarge) expect(place.begin % 4096).toBe(0);
    }
    expect(readFileSync(path.join(folder, 'labels.txt'), 'utf8')).toBe('klåss 0\nklåss 1\nklåss 2\nklåss 3\nklåss 4\n');
  });

  test('keeps all inside below the limit', async () => {
    expect((await writeOnnx(temporaryFolder(), source, { externalAbove: 1e6 })).map(({ name }) => name)).toEqual([
      'model.onnx',
      'labels.txt',
    ]);
  });

  test.each<[string, OnnxSource, string]>([
    ['a class of two lines', { ...source, classes: ['a', 'b\nc'] }, 'class "b\\nc" has a line break; labels.txt holds one class per line'],
    ['a tensor too few', without('norm.bias'), 'norm.bias: shape [none], the model has [32]'],
    ['a tensor too many', { ...source, tensors: new Map(source.tensors).set('x', zeros([1])) }, 'the model has no x'],
    [
      'a tensor of another shape',
      { ...source, tensors: new Map(source.tensors).set('norm.bias', zeros([3])) },
      'norm.bias: shape [3], the model',
    ],
    [
      'a tensor with other values than its shape',
      { ...source, tensors: new Map(source.tensors).set('norm.bias', { shape: [32], data: new Float32Array(3) }) },
      'norm.bias: shape [32] has 32 values, 3 were given',
    ],
  ])('refuses %s', async (_, odd, message) => {
    await expect(writeOnnx(temporaryFolder(), odd)).rejects.toThrow(message);
  });

  test('overwrites nothing', async () => {
    await expect(writeOnnx(await written(source), source)).rejects.toThrow('EEXIST');
  });

  function without(name: string): OnnxSource {
    return { ...source, tensors: new Map([...source.tensors].filter(([other]) => other !== name)) };
  }

  function zeros(shape: number[]): Tensor {
    return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
  }
});

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { chooseBackend } from '../../main/engine/choose.ts';
import { findEngine, hostPlatform } from '../../main/engine/installed.ts';
import { nvidiaDevices, whyNoGpu } from '../../main/engine/tensorflow.ts';
import { tf } from '../../main/engine/tf.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const require = createRequire(import.meta.url);

afterEach(() => vi.unstubAllEnvs());

/** An engines root with one engine in it whose addon is no library. */
function rootWithBrokenEngine(): string {
  const root = temporaryFolder();
  const folder = path.join(root, 'tensorflow-2.21.0-cpu');
  mkdirSync(path.join(folder, 'lib', 'napi-v8'), { recursive: true });
  writeFileSync(path.join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'), 'no library');
  const manifest = {
    format: 1,
    variant: 'cpu',
    version: '2.21.0',
    platform: hostPlatform,
    source: 'test',
    addon: 'compiled',
    files: {},
    installedAt: '',
  };
  writeFileSync(path.join(folder, 'engine.json'), JSON.stringify(manifest));
  return root;
}

describe('without an engine', () => {
  test('auto takes wasm and names the command that gets one', async () => {
    vi.stubEnv('PRELORA_ENGINES_DIR', temporaryFolder());
    const chosen = await chooseBackend({ backend: 'auto' });
    expect(chosen).toMatchObject({ name: 'wasm', version: '4.22.0', device: 'CPU', threads: 1, capabilities: { compiled: false } });
    expect(chosen.why).toContain('prelora engine install');
    expect(tf.getBackend()).toBe('wasm');
  });

  test('tensorflow by name is an error that names field, value and command', async () => {
    vi.stubEnv('PRELORA_ENGINES_DIR', temporaryFolder());
    const choice = chooseBackend({ backend: 'tensorflow' });
    await expect(choice).rejects.toMatchObject({ code: 'engine-unavailable', field: 'engine.backend' });
    await expect(choice).rejects.toThrow(/engine\.backend tensorflow: .*prelora engine install/);
  });
});

describe('with an engine that does not load', () => {
  test('auto takes wasm and says what the linker said', async () => {
    vi.stubEnv('PRELORA_ENGINES_DIR', rootWithBrokenEngine());
    const chosen = await chooseBackend({ backend: 'auto' });
    expect(chosen.name).toBe('wasm');
    expect(chosen.why).toMatch(/the native engine in .*tensorflow-2\.21\.0-cpu does not load: .*(ELF|file too short|invalid)/);
  });

  test('tensorflow by name is an error', async () => {
    vi.stubEnv('PRELORA_ENGINES_DIR', rootWithBrokenEngine());
    await expect(chooseBackend({ backend: 'tensorflow' })).rejects.toMatchObject({ code: 'engine-unavailable' });
  });
});

describe.each(['wasm', 'cpu'] as const)('%s', (backend) => {
  test('products with transposed factors equal products of transposes, with no tensor left over', async () => {
    await chooseBackend({ backend });
    const a = tf.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]);
    const b = tf.tensor([2, 1, 0, 1, 3, 5, 1, 1, 4, 2, 0, 7], [2, 3, 2]);
    const before = tf.memory().numTensors;
    const products = [tf.matMul(a, b, true, false), tf.matMul(a, b, false, true), tf.matMul(a, a, true, false)];
    const expected = tf.tidy(() => {
      const [at, bt] = [a, b].map((x) => tf.transpose(x, [0, 2, 1]));
      return [tf.matMul(at!, b), tf.matMul(a, bt!), tf.matMul(at!, a)].map((x) => Array.from(x.dataSync()));
    });
    expect(products.map((product) => Array.from(product.dataSync()))).toEqual(expected);
    // a[0]ᵀ·b[0] by hand: columns (1 3 5) and (2 4 6) with (2 0 3) and (1 1 5).
    expect(expected[0]!.slice(0, 4)).toEqual([17, 29, 22, 36]);
    tf.dispose(products);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('gradients flow: d(sum of a·b)/da is the row sums of b', async () => {
    await chooseBackend({ backend });
    const b = tf.tensor2d([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const gradient = tf.grad((a) => tf.sum(tf.matMul(a as typeof b, b)))(tf.ones([2, 3]));
    expect(Array.from(gradient.dataSync())).toEqual([3, 7, 11, 3, 7, 11]);
  });
});

test('wasm has every kernel that a ViT training step uses', async () => {
  await chooseBackend({ backend: 'wasm' });
  const kernels = new Set(tf.getKernelsForBackend('wasm').map(({ kernelName }) => kernelName));
  const needed = [
    'BatchMatMul',
    'Transpose',
    'Softmax',
    'Erf',
    'Mean',
    'Sum',
    'Square',
    'Rsqrt',
    'Sqrt',
    'Exp',
    'Log',
    'Multiply',
    'Add',
    'AddN',
    'Sub',
  ];
  needed.push(
    'RealDiv',
    'Slice',
    'Concat',
    'Tile',
    'GatherV2',
    'Max',
    'ArgMax',
    'Equal',
    'Cast',
    'Reshape',
    'PadV2',
    'Neg',
    'Maximum',
    'Minimum',
  );
  needed.push(
    'Select',
    'OneHot',
    'TopK',
    'ZerosLike',
    'OnesLike',
    'Fill',
    'ExpandDims',
    'Identity',
    'Pow',
    'Greater',
    'IsFinite',
    'Unpack',
    'Pack',
  );
  expect(needed.filter((name) => !kernels.has(name))).toEqual([]);
});

test('one tfjs-core serves everybody: what the packages require is what tf.ts exports', () => {
  expect(require('@tensorflow/tfjs-core')).toBe(tf);
  expect(require('@tensorflow/tfjs').engine()).toBe(tf.engine());
});

test('the shim gives Node what tfjs-node takes from it', () => {
  const util = require('node:util') as Record<string, (value: unknown) => boolean>;
  expect([null, undefined, 0, ''].map((value) => util.isNullOrUndefined!(value))).toEqual([true, true, false, false]);
  expect([[], {}].map((value) => util.isArray!(value))).toEqual([true, false]);
});

describe('a missing GPU is explained', () => {
  test('by a missing driver', () => {
    expect(nvidiaDevices(path.join(temporaryFolder(), 'none'))).toEqual([]);
    expect(whyNoGpu([])).toBe('no NVIDIA driver or device was found');
  });

  test('by CUDA libraries that do not load, where the driver shows a device', () => {
    const driver = temporaryFolder();
    mkdirSync(path.join(driver, 'gpus', '0000:01:00.0'), { recursive: true });
    writeFileSync(path.join(driver, 'gpus', '0000:01:00.0', 'information'), 'Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   120\n');
    expect(nvidiaDevices(driver)).toEqual(['NVIDIA H100 80GB HBM3']);
    expect(whyNoGpu(nvidiaDevices(driver))).toMatch(/could not use NVIDIA H100 80GB HBM3: a CUDA or cuDNN library did not load/);
  });
});

const installed = findEngine('cpu');
describe.skipIf(!installed)(`the native engine (skipped where none is installed)`, () => {
  test('computes, and tells its version, device and why', async () => {
    const chosen = await chooseBackend({ backend: 'tensorflow', threads: 2 });
    expect(chosen).toMatchObject({
      name: 'tensorflow',
      threads: 2,
      capabilities: { compiled: true },
    });
    expect(chosen.why).toContain('asked for by name');
    expect(chosen.binding?.TF_Version).toBe(installed?.manifest.version);
    // The library's version, and which kernels of our own compute with it.
    expect(chosen.version.replace(/\+kernels\.[0-9a-f]{12}$/, '')).toBe(installed?.manifest.version);
    expect(
      Array.from(
        tf
          .matMul(
            tf.tensor2d([
              [1, 2],
              [3, 4],
            ]),
            tf.tensor2d([
              [1, 2],
              [3, 4],
            ]),
          )
          .dataSync(),
      ),
    ).toEqual([7, 10, 15, 22]);
  });

  test('a GPU build that finds no GPU computes on the CPU and says so', async () => {
    const root = temporaryFolder();
    const folder = path.join(root, 'tensorflow-2.21.0-gpu');
    mkdirSync(folder);
    for (const part of ['lib', 'deps']) symlinkSync(path.join(installed!.folder, part), path.join(folder, part));
    writeFileSync(path.join(folder, 'engine.json'), JSON.stringify({ ...installed!.manifest, variant: 'gpu' }));
    vi.stubEnv('PRELORA_ENGINES_DIR', root);
    const chosen = await chooseBackend({ backend: 'auto' });
    expect(chosen.device).toBe('CPU');
    expect(chosen.why).toMatch(/it is a GPU build but runs on the CPU: /);
  });
});

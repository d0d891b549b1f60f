/**
 * Logits of a written ONNX folder through a runtime that is none of ours (formats.md section 13, V4). No runtime comes with the program: one that
 * can be imported is used, onnxruntime-node before onnxruntime-web (wasm), and without one the answer is null, which is "not run", never "passed".
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ModelShape } from '../protocol/config.ts';
import { systemCode } from '../store/diskFault.ts';
import type { Tensor } from '../store/safetensors.ts';
import { DATA_FILE, MODEL_FILE } from './onnxFile.ts';

export interface OnnxLogits {
  runtime: string;
  /** `[B, C]`, row by row. */
  logits: Float32Array;
}

/** What both packages have in common. */
interface Runtime {
  env: { wasm: { numThreads?: number } };
  InferenceSession: { create(model: string | Uint8Array, options: object): Promise<Session> };
  Tensor: new (type: 'float32', data: Float32Array, sides: readonly number[]) => { data: unknown };
}
interface Session {
  run(feeds: Record<string, unknown>): Promise<{ logits: { data: unknown } }>;
  release(): Promise<void>;
}

/** Images per call, so that the largest activations stay small. */
const BATCH = 8;
/** wasm has 4 GiB for file, weights and activations, and Node reads at most 2 GiB at once. */
const WASM_LIMIT = 2 ** 31 - 1;
const ERRORS_ONLY = { logSeverityLevel: 3 };

/**
 * Logits of normalised images `[B, K, S, S]` by the model in `folder`; null where no runtime can be imported, or only one that the model is too
 * large for. Throws what the runtime throws for a model it refuses.
 */
export async function onnxLogits(folder: string, images: Tensor): Promise<OnnxLogits | null> {
  const [native, wasm] = [await importRuntime('onnxruntime-node'), await importRuntime('onnxruntime-web')];
  if (native) return { runtime: 'onnxruntime-node', logits: await runAll(native, await openByPath(native, folder), images) };
  const session = wasm && (await openInMemory(wasm, folder));
  return session ? { runtime: 'onnxruntime-web', logits: await runAll(wasm, session, images) } : null;
}

/** Flattened patches `[B·(T−1), P·P·K]`, as batches hold them, as pixels `[B, K, S, S]`. */
export function pixelValues(patches: Float32Array, model: Pick<ModelShape, 'imageSize' | 'patchSize' | 'inChannels'>): Tensor {
  const { imageSize: S, patchSize: P, inChannels: K } = model;
  const pixels = new Float32Array(patches.length);
  let from = 0;
  for (let patch = 0; from < patches.length; patch++) {
    const [image, row, column] = [Math.floor(patch / (S / P) ** 2), Math.floor(patch / (S / P)) % (S / P), patch % (S / P)];
    for (let y = row * P; y < (row + 1) * P; y++) {
      for (let x = column * P; x < (column + 1) * P; x++) {
        for (let k = 0; k < K; k++) pixels[((image * K + k) * S + y) * S + x] = patches[from++] as number;
      }
    }
  }
  return { shape: [patches.length / (K * S * S), K, S, S], data: pixels };
}

/** Null when the package is not there or does not run here, which is no fault: it is none of the program's dependencies. */
async function importRuntime(name: string): Promise<Runtime | null> {
  try {
    const module = (await import(name)) as Runtime & { default?: Runtime };
    return module.InferenceSession ? module : (module.default ?? null);
  } catch {
    return null;
  }
}

function openByPath(runtime: Runtime, folder: string): Promise<Session> {
  return runtime.InferenceSession.create(path.join(folder, MODEL_FILE), ERRORS_ONLY);
}

/** Null for a model that is too large. */
async function openInMemory(runtime: Runtime, folder: string): Promise<Session | null> {
  const [model, outside] = [path.join(folder, MODEL_FILE), path.join(folder, DATA_FILE)];
  const outsideBytes = await bytesIfThere(outside);
  if ((await stat(model)).size + outsideBytes > WASM_LIMIT) return null;
  const externalData = outsideBytes > 0 ? [{ path: DATA_FILE, data: new Uint8Array(await readFile(outside)) }] : [];
  // More threads are workers, and would add rows of a product in another order.
  runtime.env.wasm.numThreads = 1;
  return runtime.InferenceSession.create(new Uint8Array(await readFile(model)), { ...ERRORS_ONLY, externalData });
}

async function bytesIfThere(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

async function runAll(runtime: Runtime, session: Session, { shape, data }: Tensor): Promise<Float32Array> {
  const [images = 0, ...sides] = shape;
  const perImage = data.length / images;
  const logits: number[] = [];
  try {
    for (let first = 0; first < images; first += BATCH) {
      const count = Math.min(BATCH, images - first);
      const pixels = data.slice(first * perImage, (first + count) * perImage);
      const answer = await session.run({ pixel_values: new runtime.Tensor('float32', pixels, [count, ...sides]) });
      for (const value of answer.logits.data as Float32Array) logits.push(value);
    }
    return Float32Array.from(logits);
  } finally {
    await session.release();
  }
}

/**
 * `model.onnx` and `labels.txt` from merged weights (formats.md section 6). Weights are fetched and written one by one, so that a ViT-H needs
 * no more memory than its largest tensor beside what the caller holds.
 */
import path from 'node:path';
import { parameterShapes, sizeOf } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { ExportedFile } from '../protocol/exports.ts';
import { PreloraError } from '../protocol/reply.ts';
import { toJson } from '../store/json.ts';
import { writeNewFile } from '../store/newFile.ts';
import type { TensorSource } from '../store/safetensors.ts';
import { toForeign } from './foreignNames.ts';
import { DATA_ALIGNMENT, type InitializerHead, initializerBefore, initializerElsewhere, modelFrame } from './onnxMessages.ts';
import { type OnnxConstant, type OnnxGraph, type Opset, onnxGraph, PATCH_KERNEL, patchPlace } from './onnxModel.ts';

export const MODEL_FILE = 'model.onnx';
export const DATA_FILE = 'model.onnx.data';
export const LABELS_FILE = 'labels.txt';

export interface OnnxSource {
  model: ModelShape;
  /** Every parameter by native path, adapters merged. */
  tensors: ReadonlyMap<string, TensorSource>;
  classes: readonly string[];
  /** Values that JSON can say: `metadata_props` prelora.classes, prelora.preprocessing, prelora.run. */
  metadata: { classes: unknown; preprocessing: unknown; run: unknown };
}

export interface OnnxOptions {
  opset?: Opset;
  /** With more bytes of weights than this, those of 1 KiB and more go to a file of their own. A protobuf message ends at 2 GiB. */
  externalAbove?: number;
}

export const DEFAULT_OPSET: Opset = 17;
const EXTERNAL_ABOVE = 1.5 * 2 ** 30;
const SMALLEST_EXTERNAL = 1024;

/**
 * Writes new files into `folder` (existing ones are an error), each fsynced, and returns what was written. Throws `disk-full`, `not-writable`,
 * `bad-arguments` for a class name that a line cannot hold, or `internal` when the tensors are not those of the model.
 */
export async function writeOnnx(folder: string, source: OnnxSource, options: OnnxOptions = {}): Promise<ExportedFile[]> {
  const { opset = DEFAULT_OPSET, externalAbove = EXTERNAL_ABOVE } = options;
  checkTensors(source);
  const labels = labelLines(source.classes);
  const graph = onnxGraph(source.model, opset);
  const all = [...weightsOf(graph, source), ...constantsOf(graph)];
  const outside = all.reduce((bytes, { byteLength }) => bytes + byteLength, 0) > externalAbove ? moveOutside(all) : [];
  const write = async (name: string, pieces: Parameters<typeof writeNewFile>[1]): Promise<ExportedFile> => ({
    name,
    ...(await writeNewFile(path.join(folder, name), pieces)),
  });
  const files = [await write(MODEL_FILE, modelBytes(graph, all, opset, source.metadata))];
  if (outside.length > 0) files.push(await write(DATA_FILE, dataBytes(outside)));
  return [...files, await write(LABELS_FILE, [Buffer.from(labels)])];
}

function checkTensors({ model, tensors }: OnnxSource): void {
  const wanted = parameterShapes(model);
  for (const [name, shape] of wanted) {
    const found = tensors.get(name)?.shape;
    if (String(found) !== String(shape))
      throw new PreloraError('internal', `${name}: shape [${found ?? 'none'}], the model has [${shape}]`);
  }
  const spare = [...tensors.keys()].filter((name) => !wanted.has(name));
  if (spare.length > 0) throw new PreloraError('internal', `the model has no ${spare.join(', ')}`);
}

/** A class per line, its index the line's number from 0. */
export function labelLines(classes: readonly string[]): string {
  const broken = classes.find((name) => /[\n\r]/.test(name));
  if (broken !== undefined) {
    throw new PreloraError('bad-arguments', `class ${JSON.stringify(broken)} has a line break; ${LABELS_FILE} holds one class per line`);
  }
  return classes.map((name) => `${name}\n`).join('');
}

/** An initializer on its way into a file. */
interface StoredTensor extends InitializerHead {
  bytes: () => Promise<Uint8Array> | Uint8Array;
  /** Place in the data file; null for one inside the model. */
  offset: number | null;
}

function weightsOf({ weights }: OnnxGraph, { model, tensors }: OnnxSource): StoredTensor[] {
  return [...weights].map(([name, shape]) => {
    const values = async (): Promise<Uint8Array> => {
      const native = await fetchValues(name, tensors.get(name) as TensorSource);
      return bytesOf(name === PATCH_KERNEL ? toForeign(native, patchPlace(model), model) : native);
    };
    return { name, type: 'float32', shape, byteLength: sizeOf(shape) * 4, bytes: values, offset: null };
  });
}

/** The values of a tensor, fetched where they are not at hand. Throws `internal` when there are not as many as its shape says. */
export async function fetchValues(name: string, { shape, data }: TensorSource): Promise<Float32Array> {
  const values = typeof data === 'function' ? await data() : data;
  if (values.length === sizeOf(shape)) return values;
  throw new PreloraError('internal', `${name}: shape [${shape}] has ${sizeOf(shape)} values, ${values.length} were given`);
}

function constantsOf({ constants }: OnnxGraph): StoredTensor[] {
  return [...constants].map(([name, constant]) => {
    const bytes = bytesOf(typedValues(constant));
    return { name, type: constant.type, shape: constant.shape, byteLength: bytes.length, bytes: () => bytes, offset: null };
  });
}

function typedValues({ type, values }: OnnxConstant): Float32Array | BigInt64Array {
  return type === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Gives the large ones a place in the data file and returns them. */
function moveOutside(all: readonly StoredTensor[]): StoredTensor[] {
  let end = 0;
  const large = all.filter(({ byteLength }) => byteLength >= SMALLEST_EXTERNAL);
  for (const tensor of large) {
    tensor.offset = Math.ceil(end / DATA_ALIGNMENT) * DATA_ALIGNMENT;
    end = tensor.offset + tensor.byteLength;
  }
  return large;
}

async function* dataBytes(outside: readonly StoredTensor[]): AsyncGenerator<Uint8Array> {
  let end = 0;
  for (const { offset, byteLength, bytes } of outside) {
    yield new Uint8Array((offset as number) - end);
    yield await bytes();
    end = (offset as number) + byteLength;
  }
}

/** The whole message; lengths are known before the first weight is fetched. */
async function* modelBytes(graph: OnnxGraph, all: readonly StoredTensor[], opset: Opset, metadata: OnnxSource['metadata']) {
  const initializers = all.map((tensor) => ({ ...tensor, before: beforeValues(tensor) }));
  const inside = initializers.reduce((sum, { before, byteLength, offset }) => sum + before.length + (offset === null ? byteLength : 0), 0);
  const entries = Object.entries(metadata).map(([key, value]) => ({ key: `prelora.${key}`, value: toJson(value) }));
  const [head, tail] = modelFrame(graph, opset, entries, inside);
  yield head;
  for (const { before, bytes, offset } of initializers) {
    yield before;
    if (offset === null) yield await bytes();
  }
  yield tail;
}

function beforeValues({ offset, ...tensor }: StoredTensor): Uint8Array {
  return offset === null ? initializerBefore(tensor) : initializerElsewhere(tensor, DATA_FILE, offset);
}

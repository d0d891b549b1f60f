/**
 * Whether a written ONNX folder is the model (formats.md section 13): V1 it reads back, V2 the weights are there to the bit and nothing else is,
 * V3 every figure that shapes do not show, read off the nodes of the file. V3 matters: a wrong epsilon moves logits by less than V4 sees.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExportCheck } from '../protocol/exports.ts';
import { PreloraError } from '../protocol/reply.ts';
import { toJson } from '../store/json.ts';
import { toNative } from './foreignNames.ts';
import { figuresFault } from './onnxFigures.ts';
import { DEFAULT_OPSET, fetchValues, LABELS_FILE, labelLines, MODEL_FILE, type OnnxSource } from './onnxFile.ts';
import { type OnnxGraph, type OnnxNode, type Opset, onnxGraph, PATCH_KERNEL, patchPlace } from './onnxModel.ts';
import { type OnnxContents, type OnnxTensor, readOnnx, readOnnxTensor } from './onnxReading.ts';

/** V1 to V3 of the files in `folder` against what was to be written. Throws when a file is not there, or `source` cannot be read. */
export async function checkOnnx(folder: string, source: OnnxSource, opset: Opset = DEFAULT_OPSET): Promise<ExportCheck[]> {
  let contents: OnnxContents;
  try {
    contents = await readOnnx(path.join(folder, MODEL_FILE));
  } catch (error) {
    if (!(error instanceof PreloraError)) throw error;
    const unread = { status: 'notRun', detail: 'the file could not be read' } as const;
    return [outcome('V1', '', error.message), { ...outcome('V2', '', null), ...unread }, { ...outcome('V3', '', null), ...unread }];
  }
  const { nodes, initializers } = contents;
  const graph = onnxGraph(source.model, opset);
  const names = namesFault(contents, graph);
  const figures = (await figuresFault(contents, source, opset)) ?? nodesFault(contents, graph) ?? (await labelsFault(folder, source));
  return [
    outcome('V1', `${nodes.length} nodes, ${initializers.size} tensors`, null),
    outcome('V2', `${graph.weights.size} tensors equal to the last bit`, names ?? (await valuesFault(contents, graph, source))),
    outcome('V3', `every node and figure that opset ${opset} has for the model`, figures),
  ];
}

const COMPARED = {
  V1: 'read back, lengths and places within the files',
  V2: 'every tensor, mapped back',
  V3: 'sizes, epsilon, activation, wiring, labels',
};

/** Passed with `detail`, or failed with the first fault: what it is in, what was found and what it should be. */
function outcome(id: keyof typeof COMPARED, detail: string, fault: string | null): ExportCheck {
  return { id, what: COMPARED[id], status: fault === null ? 'passed' : 'failed', detail: fault ?? detail };
}

/** Every weight and constant is there in its shape, and nothing else is. */
function namesFault({ initializers }: OnnxContents, { weights, constants }: OnnxGraph): string | null {
  const wanted = new Map([...weights, ...[...constants].map(([name, { shape }]) => [name, shape] as const)]);
  const missing = [...wanted.keys()].filter((name) => !initializers.has(name));
  if (missing.length > 0) return `missing: ${missing.join(', ')}`;
  const spare = [...initializers.keys()].filter((name) => !wanted.has(name));
  if (spare.length > 0) return `not of the model: ${spare.join(', ')}`;
  const misfit = [...wanted].find(([name, shape]) => String(initializers.get(name)?.shape) !== String(shape));
  return misfit ? `${misfit[0]}: has shape [${initializers.get(misfit[0])?.shape}], the model has [${misfit[1]}]` : null;
}

async function valuesFault({ initializers }: OnnxContents, { weights }: OnnxGraph, source: OnnxSource): Promise<string | null> {
  for (const name of weights.keys()) {
    const tensor = initializers.get(name) as OnnxTensor;
    const fault = tensor.type === 'float32' ? await weightFault(name, tensor, source) : `${name}: is ${tensor.type}, the model has float32`;
    if (fault) return fault;
  }
  return null;
}

/** The patch kernel is mapped back. */
async function weightFault(name: string, written: OnnxTensor, { model, tensors }: OnnxSource): Promise<string | null> {
  const native = tensors.get(name);
  if (!native) return `${name}: the model has none`;
  const found = (await readOnnxTensor(written)) as Float32Array;
  const mapped = name === PATCH_KERNEL ? toNative(found, patchPlace(model), model) : found;
  return difference(name, mapped, await fetchValues(name, native));
}

/** To the bit: Object.is tells −0 from 0, and holds NaN equal to itself. */
function difference(name: string, found: ArrayLike<number>, wanted: ArrayLike<number>): string | null {
  for (let i = 0; i < wanted.length; i++) {
    if (!Object.is(found[i], wanted[i])) return `${name}[${i}]: is ${found[i]}, the model has ${wanted[i]}`;
  }
  return null;
}

/** The nodes of the file are those of the model's graph, in its order. */
function nodesFault({ nodes }: OnnxContents, graph: OnnxGraph): string | null {
  if (nodes.length !== graph.nodes.length) return `${nodes.length} nodes, the model has ${graph.nodes.length}`;
  const other = nodes.findIndex((node, i) => toText(node) !== toText(graph.nodes[i] as OnnxNode));
  return other < 0
    ? null
    : `node ${other}: is ${toText(nodes[other] as OnnxNode)}, the model has ${toText(graph.nodes[other] as OnnxNode)}`;
}

function toText({ name, op, inputs, outputs, attributes }: OnnxNode): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return toJson([name, op, inputs, outputs, sorted]);
}

async function labelsFault(folder: string, { classes, model }: OnnxSource): Promise<string | null> {
  const found = await readFile(path.join(folder, LABELS_FILE), 'utf8');
  if (classes.length !== model.numClasses) return `${LABELS_FILE}: ${classes.length} labels for a head of ${model.numClasses}`;
  return found === labelLines(classes) ? null : `${LABELS_FILE}: its lines are not the classes`;
}

/**
 * What the nodes of a model.onnx say of its geometry, field by field, against the model's settings and not against the graph that was built from
 * them: a builder that forgot one is found out too.
 */
import { parameterShapes, tokenCount } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import { parseJson, toJson } from '../store/json.ts';
import type { OnnxSource } from './onnxFile.ts';
import { IR_VERSION, PRODUCER } from './onnxMessages.ts';
import type { OnnxNode, Opset } from './onnxModel.ts';
import { type OnnxContents, readOnnxTensor } from './onnxReading.ts';

/** The first figure that is not the model's, with both values; null when all are. */
export async function figuresFault(contents: OnnxContents, source: OnnxSource, opset: Opset): Promise<string | null> {
  const constants = await readConstants(contents, source.model);
  const all = [...attributeFigures(contents, source, opset), ...constantFigures(contents.nodes, constants, source.model, opset)];
  for (const [field, found, wanted] of all) {
    if (toJson(found) !== toJson(wanted)) return `${field}: is ${brief(toJson(found))}, the model has ${brief(toJson(wanted))}`;
  }
  return null;
}

/** Letters of a value in a fault. */
const SHOWN = 200;

/** Metadata may hold thousands of class names. */
function brief(text: string | undefined): string {
  return text && text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : `${text}`;
}

type Figure = [field: string, found: unknown, wanted: unknown];

function attributeFigures(contents: OnnxContents, source: OnnxSource, opset: Opset): Figure[] {
  const { model, metadata } = source;
  const { imageSize, patchSize, inChannels, numClasses, depth, qkvBias } = model;
  const { nodes, initializers, inputs, outputs } = contents;
  const texts = Object.entries(metadata).map(([key, value]): [string, string] => [`prelora.${key}`, toJson(value)]);
  return [
    ['producer', [contents.producer, contents.name], [PRODUCER, PRODUCER]],
    ['opset', [contents.irVersion, contents.opset], [IR_VERSION[opset], opset]],
    ['inputs', inputs, [{ name: 'pixel_values', shape: ['batch_size', inChannels, imageSize, imageSize] }]],
    ['outputs', outputs, [{ name: 'logits', shape: ['batch_size', numClasses] }]],
    ['patchSize', attributesOf(nodes, 'Conv'), [{ kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] }]],
    ['depth', nodes.filter(({ op }) => op === 'Softmax').length, depth],
    ['softmax', attributesOf(nodes, 'Softmax'), [{ axis: -1 }]],
    ['LayerNormalization', nodes.filter(({ op }) => op === 'LayerNormalization').length, 2 * depth + 1],
    ['layerNormEps', attributesOf(nodes, 'LayerNormalization'), [{ axis: -1, epsilon: Math.fround(model.layerNormEps) }]],
    ['activation', activationOf(nodes), opset === 20 ? { Gelu: depth } : { Erf: depth }],
    ['class row', attributesOf(nodes, 'Gather'), [{ axis: 1 }]],
    ['qkvBias', ['q', 'k', 'v'].map((part) => initializers.has(`blocks.0.attn.${part}.bias`)), [qkvBias, qkvBias, qkvBias]],
    ['metadata', [...contents.metadata.keys()], texts.map(([key]) => key)],
    ...texts.map(([key, text]): Figure => [key, parseJson(contents.metadata.get(key) ?? ''), parseJson(text)]),
  ];
}

/** The different sets of attributes of an operator's nodes. */
function attributesOf(nodes: readonly OnnxNode[], op: string): unknown[] {
  const plain = nodes
    .filter((node) => node.op === op)
    .map(({ attributes }) => Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, Object.values(value)[0]])));
  return different(plain);
}

type Constants = ReadonlyMap<string, readonly number[]>;

async function readConstants({ initializers }: OnnxContents, model: ModelShape): Promise<Constants> {
  const weights = parameterShapes(model);
  const constants = new Map<string, number[]>();
  for (const [name, tensor] of initializers) {
    if (!weights.has(name)) constants.set(name, Array.from(await readOnnxTensor(tensor), Number));
  }
  return constants;
}

/** Heads, scale, activation and class row are constants that nodes take. */
function constantFigures(nodes: readonly OnnxNode[], constants: Constants, model: ModelShape, opset: Opset): Figure[] {
  const { embedDim: D, numHeads: H } = model;
  const T = tokenCount(model);
  const isOneOperator = opset === 20;
  const taken = (op: string) =>
    nodes
      .filter((node) => node.op === op)
      .flatMap(({ inputs }) => inputs.map((name) => constants.get(name)))
      .filter((values) => values !== undefined);
  const figure = (field: string, op: string, wanted: number[][]): Figure => [field, different(taken(op)), different(wanted)];
  const scale = [Math.fround(1 / Math.sqrt(D / H))];
  return [
    figure('numHeads', 'Reshape', [
      [0, D, T - 1],
      [0, T, H, D / H],
      [0, T, D],
    ]),
    figure('attention scale', 'Mul', isOneOperator ? [scale] : [scale, [0.5]]),
    figure('activation', 'Div', isOneOperator ? [] : [[Math.fround(Math.SQRT2)]]),
    figure('activation', 'Add', isOneOperator ? [] : [[1]]),
    figure('class row', 'Gather', [[0]]),
    figure('class token', 'Concat', [[1, D]]),
  ];
}

/** Each once, in the order in which they come first. */
function different<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [toJson(value), value])).values()];
}

const ACTIVATIONS = ['Erf', 'Gelu', 'Tanh', 'Relu', 'Sigmoid'];

function activationOf(nodes: readonly OnnxNode[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op } of nodes) if (ACTIVATIONS.includes(op)) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

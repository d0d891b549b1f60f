/**
 * Our ViT as an ONNX graph, as plain data: nodes, the weights they name, the constants they need (formats.md section 6). Weights keep their
 * native names and, but for the patch kernel, their [in, out] layout: MatMul takes it. Operators: github.com/onnx/onnx/blob/v1.23.1/docs/Operators.md.
 */
import { parameterShapes, patchDim, type Shape, tokenCount } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import { type ForeignPlace, foreignPlace } from './foreignNames.ts';

/** 20 has Gelu as one operator, 17 writes it as five. */
export type Opset = 17 | 20;

export type OnnxAttribute = { int: number } | { float: number } | { ints: readonly number[] };

export interface OnnxNode {
  /** Unique; what its output is called too. */
  name: string;
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** An initializer that is no weight: a shape, an index, a scalar. */
export interface OnnxConstant {
  type: 'int64' | 'float32';
  shape: Shape;
  values: readonly number[];
}

/** A float32 input or output of the graph; a side that is free has a name. */
export interface OnnxValue {
  name: string;
  shape: readonly (number | string)[];
}

export interface OnnxGraph {
  /** In an order in which they can run. */
  nodes: readonly OnnxNode[];
  /** Native path → shape in the file, in storage order. */
  weights: ReadonlyMap<string, Shape>;
  constants: ReadonlyMap<string, OnnxConstant>;
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
}

/** The one weight that lies in another layout: Conv wants [D, K, P, P]. */
export const PATCH_KERNEL = 'patchEmbed.weight';
const BATCH = 'batch_size';
const PIXELS = 'pixel_values';
const LOGITS = 'logits';

/** The graph of `model`: normalised pixels [B, K, S, S] in, logits [B, C] out, for any B. */
export function onnxGraph(model: ModelShape, opset: Opset): OnnxGraph {
  const graph = new GraphUnderConstruction(model, opset);
  let x = embed(graph);
  for (let layer = 0; layer < model.depth; layer++) x = block(graph, x, `blocks.${layer}`);
  const classRow = graph.append('Gather', 'classRow', [x, graph.ints('const.classRow', [], [0])], { axis: { int: 1 } }); // [B, D]
  linear(graph, norm(graph, classRow, 'norm'), 'head', LOGITS); // [B, C]
  const { imageSize, inChannels, numClasses } = model;
  return {
    nodes: graph.nodes,
    weights: weightShapes(model),
    constants: graph.constants,
    inputs: [{ name: PIXELS, shape: [BATCH, inChannels, imageSize, imageSize] }],
    outputs: [{ name: LOGITS, shape: [BATCH, numClasses] }],
  };
}

/** Where the patch kernel lies: as in torch's files. */
export function patchPlace(model: ModelShape): ForeignPlace {
  return foreignPlace(PATCH_KERNEL, [patchDim(model), model.embedDim], model, 'classic');
}

function weightShapes(model: ModelShape): Map<string, Shape> {
  return parameterShapes(model).set(PATCH_KERNEL, patchPlace(model).shape);
}

class GraphUnderConstruction {
  readonly nodes: OnnxNode[] = [];
  readonly constants = new Map<string, OnnxConstant>();
  readonly weights: ReadonlyMap<string, Shape>;
  constructor(
    readonly model: ModelShape,
    readonly opset: Opset,
  ) {
    this.weights = weightShapes(model);
  }

  /** Adds a node and returns the name of its output, which is its own. */
  append(op: string, name: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string {
    this.nodes.push({ name, op, inputs, outputs: [name], attributes });
    return name;
  }

  /** The name of an int64 constant, which is there once, however often it is asked for. Unused ones would cause warnings. */
  ints(name: string, shape: Shape, values: readonly number[]): string {
    this.constants.set(name, { type: 'int64', shape, values });
    return name;
  }

  /** The name of a float32 scalar. */
  scalar(name: string, value: number): string {
    this.constants.set(name, { type: 'float32', shape: [], values: [Math.fround(value)] });
    return name;
  }

  reshape(name: string, x: string, constant: string, sides: readonly number[]): string {
    return this.append('Reshape', name, [x, this.ints(constant, [sides.length], sides)]);
  }

  transpose(name: string, x: string, perm: readonly number[]): string {
    return this.append('Transpose', name, [x], { perm: { ints: perm } });
  }
}

/** Patches, class token in front, positions added: [B, T, D]. */
function embed(graph: GraphUnderConstruction): string {
  const { embedDim: D, patchSize: P } = graph.model;
  const T = tokenCount(graph.model);
  const square = { ints: [P, P] };
  const kernel = [PIXELS, PATCH_KERNEL, 'patchEmbed.bias'];
  const grid = graph.append('Conv', 'patchEmbed', kernel, { kernel_shape: square, strides: square }); // [B, D, S/P, S/P]
  const flat = graph.reshape('patchEmbed.flat', grid, 'const.patches', [0, D, T - 1]);
  const patches = graph.transpose('patchEmbed.tokens', flat, [0, 2, 1]); // [B, T−1, D]
  const batch = graph.append('Shape', 'batch', [PIXELS], { start: { int: 0 }, end: { int: 1 } });
  const sides = graph.append('Concat', 'clsToken.shape', [batch, graph.ints('const.classToken', [2], [1, D])], { axis: { int: 0 } });
  const classTokens = graph.append('Expand', 'clsToken.tokens', ['clsToken', sides]); // [B, 1, D]
  const tokens = graph.append('Concat', 'tokens', [classTokens, patches], { axis: { int: 1 } });
  return graph.append('Add', 'embedded', [tokens, 'posEmbed']);
}

/** One pre-norm block: x [B, T, D] → [B, T, D]. */
function block(graph: GraphUnderConstruction, x: string, name: string): string {
  const attended = attention(graph, norm(graph, x, `${name}.norm1`), `${name}.attn`);
  const mid = graph.append('Add', `${name}.attn.residual`, [x, attended]);
  const hidden = linear(graph, norm(graph, mid, `${name}.norm2`), `${name}.mlp.fc1`);
  const branch = linear(graph, gelu(graph, hidden, `${name}.mlp.gelu`), `${name}.mlp.fc2`);
  return graph.append('Add', `${name}.mlp.residual`, [mid, branch]);
}

/** softmax(q·kᵀ/√Dh)·v per head, then the projection: [B, T, D] → [B, T, D]. */
function attention(graph: GraphUnderConstruction, x: string, name: string): string {
  const { embedDim: D, numHeads: H } = graph.model;
  const T = tokenCount(graph.model);
  const heads = (part: 'q' | 'k' | 'v', perm: readonly number[]): string => {
    const module = `${name}.${part}`;
    const split = graph.reshape(`${module}.split`, linear(graph, x, module), 'const.heads', [0, T, H, D / H]);
    return graph.transpose(`${module}.heads`, split, perm);
  };
  const q = heads('q', [0, 2, 1, 3]); // [B, H, T, Dh]
  const k = heads('k', [0, 2, 3, 1]); // [B, H, Dh, T]
  const v = heads('v', [0, 2, 1, 3]); // [B, H, T, Dh]
  const scaled = graph.append('Mul', `${name}.scaled`, [q, graph.scalar('const.scale', 1 / Math.sqrt(D / H))]);
  const scores = graph.append('MatMul', `${name}.scores`, [scaled, k]); // [B, H, T, T]
  const weights = graph.append('Softmax', `${name}.weights`, [scores], { axis: { int: -1 } });
  const context = graph.append('MatMul', `${name}.context`, [weights, v]); // [B, H, T, Dh]
  const rows = graph.transpose(`${name}.rows`, context, [0, 2, 1, 3]);
  return linear(graph, graph.reshape(`${name}.joined`, rows, 'const.tokens', [0, T, D]), `${name}.proj`);
}

/** The erf form. */
function gelu(graph: GraphUnderConstruction, x: string, name: string): string {
  if (graph.opset === 20) return graph.append('Gelu', name, [x]);
  const half = graph.append('Mul', `${name}.half`, [x, graph.scalar('const.half', 0.5)]);
  const divided = graph.append('Div', `${name}.divided`, [x, graph.scalar('const.sqrt2', Math.SQRT2)]);
  const erf = graph.append('Erf', `${name}.erf`, [divided]);
  const above = graph.append('Add', `${name}.above`, [erf, graph.scalar('const.one', 1)]);
  return graph.append('Mul', name, [half, above]);
}

function norm(graph: GraphUnderConstruction, x: string, module: string): string {
  const attributes = { axis: { int: -1 }, epsilon: { float: Math.fround(graph.model.layerNormEps) } };
  return graph.append('LayerNormalization', module, [x, `${module}.weight`, `${module}.bias`], attributes);
}

/** x·W + b, or x·W where the module has no bias. */
function linear(graph: GraphUnderConstruction, x: string, module: string, name = module): string {
  const inputs = [x, `${module}.weight`];
  const bias = `${module}.bias`;
  if (!graph.weights.has(bias)) return graph.append('MatMul', name, inputs);
  return graph.append('Add', name, [graph.append('MatMul', `${module}.product`, inputs), bias]);
}

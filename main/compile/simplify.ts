/**
 * Better ops for what tfjs's kernels ask for, chosen as a node is appended: fewer passes over memory, and the forms that TensorFlow's own
 * optimiser can fuse further (grappler's remapper turns MatMul and BiasAdd into one _FusedMatMul). Every rewrite computes the same function.
 */
import { DT, type Graph, type GraphNode, type GraphOutput, type NewNode, outputOf, specOf } from './graph.ts';

type Rewrite = (node: NewNode, graph: Graph, ownKernels: boolean) => NewNode | undefined;

/**
 * The node itself, or what computes the same better; helper nodes go into the graph. The replaced node's inputs may become dead. `ownKernels`: the
 * operations of resources/kernels may be used.
 */
export function simplify(node: NewNode, graph: Graph, ownKernels: boolean): NewNode {
  const rewritten = REWRITES[node.op]?.(node, graph, ownKernels);
  return rewritten ? { ...rewritten, outputs: node.outputs, name: node.name?.replace(/[^/]*$/, rewritten.op) } : node;
}

const REWRITES: Readonly<Record<string, Rewrite>> = { BatchMatMulV2: toMatMul, Add: toProductAdd, Sum: toFewerPasses };

/** The 2-D product: the batched one neither fuses with its bias nor takes the fastest kernel. */
function toMatMul({ inputs = [], attrs = {} }: NewNode, _graph: Graph, ownKernels: boolean): NewNode | undefined {
  if (inputs.some((input) => specOf(input).shape.length !== 2)) return undefined;
  const { T, adj_x: transposeA, adj_y: transposeB } = attrs;
  const transposes = { transpose_a: transposeA ?? {}, transpose_b: transposeB ?? {} };
  if (ownKernels && inputs.every((input) => specOf(input).dtype === 'float32')) return { op: 'PreloraMatMul', inputs, attrs: transposes };
  return { op: 'MatMul', inputs, attrs: { T: T ?? {}, ...transposes } };
}

/** A vector added to the rows of a product, or, with our own kernels, anything of a product's shape. */
function toProductAdd({ inputs = [], attrs = {} }: NewNode): NewNode {
  const [a, b] = inputs as [GraphOutput, GraphOutput];
  const pair: [GraphOutput, GraphOutput] | undefined = isBiasOf(b, a) ? [a, b] : isBiasOf(a, b) ? [b, a] : undefined;
  if (!pair) return toAddend(a, b) ?? toAddend(b, a) ?? { op: 'AddV2', inputs, attrs };
  const [{ node: product }, bias] = pair;
  if (product.op === 'PreloraMatMul') return { op: 'PreloraMatMulBias', inputs: [...product.inputs, bias], attrs: product.attrs };
  return { op: 'BiasAdd', inputs: pair, attrs: { ...attrs, data_format: { s: 'NHWC' } } };
}

/** The product computed onto what is added to it: gradients that meet, an adapter's part of its layer. */
function toAddend(addend: GraphOutput, { node: product }: GraphOutput): NewNode | undefined {
  if (product.op !== 'PreloraMatMul') return undefined;
  const [wanted, given] = [specOf(outputOf(product)).shape, specOf(addend).shape];
  if (given.length !== 2 || wanted.some((side, axis) => side !== given[axis])) return undefined;
  return toPair(addend.node, product) ?? { op: 'PreloraMatMulAdd', inputs: [...product.inputs, addend], attrs: product.attrs };
}

/** Up to this depth a product is computed onto another's pieces while they lie in the cache; an adapter's depth is its rank. */
const LITTLE_DEPTH = 64;

/** Both products at once, the deeper first; `first` may have a bias or an addend. */
function toPair(first: GraphNode, second: GraphNode): NewNode | undefined {
  const added = ADDED_TO_PRODUCT.get(first.op);
  if (added === undefined || !haveSameTransposes(first, second)) return undefined;
  const [deep, shallow] = depthOf(first) >= depthOf(second) ? [first, second] : [second, first];
  if (depthOf(shallow) > LITTLE_DEPTH) return undefined;
  const inputs = [...deep.inputs.slice(0, 2), ...shallow.inputs.slice(0, 2), ...first.inputs.slice(2)];
  return { op: `PreloraMatMulPair${added}`, inputs, attrs: first.attrs };
}

const ADDED_TO_PRODUCT: ReadonlyMap<string, string> = new Map([
  ['PreloraMatMul', ''],
  ['PreloraMatMulBias', 'Bias'],
  ['PreloraMatMulAdd', 'Add'],
]);

function haveSameTransposes(a: GraphNode, b: GraphNode): boolean {
  return (['transpose_a', 'transpose_b'] as const).every((name) => Boolean(a.attrs[name]?.b) === Boolean(b.attrs[name]?.b));
}

function depthOf({ inputs, attrs }: GraphNode): number {
  return specOf(inputs[0] as GraphOutput).shape[attrs.transpose_a?.b ? 0 : 1] as number;
}

const PRODUCTS = new Set(['MatMul', 'PreloraMatMul']);

function isBiasOf(bias: GraphOutput, product: GraphOutput): boolean {
  const { shape } = specOf(bias);
  return PRODUCTS.has(product.node.op) && shape.length === 1 && shape[0] === specOf(product).shape[1];
}

/** Column sums, the gradient of a bias, have a kernel that walks memory in order; a sum of all squares has one without a tensor of squares. */
function toFewerPasses(node: NewNode, graph: Graph): NewNode | undefined {
  const [summed] = node.inputs as [GraphOutput];
  const { shape, dtype } = specOf(summed);
  if (dtype !== 'float32' || node.attrs?.keep_dims?.b) return undefined;
  const sides = node.outputs?.[0]?.shape ?? [];
  if (shape.length === 2 && sides.length === 1 && sumsAxis(node, 0)) {
    return { op: 'BiasAddGrad', inputs: [summed], attrs: { T: { type: DT.float32 }, data_format: { s: 'NHWC' } } };
  }
  const squared = sides.length === 0 ? findSquared(summed) : undefined;
  return squared && doubleL2Loss(squared, graph);
}

function sumsAxis({ inputs }: NewNode, axis: number): boolean {
  const axes = inputs?.[1]?.node.attrs.value?.tensor?.value;
  return axes?.length === 1 && axes[0] === axis;
}

/** x, when the value is x² or sums of x² that will be summed on to a scalar. */
function findSquared(value: GraphOutput): GraphOutput | undefined {
  let { node } = value;
  while (node.op === 'Sum') node = (node.inputs[0] as GraphOutput).node;
  return node.op === 'Square' ? node.inputs[0] : undefined;
}

/** 2 · L2Loss(x) = 2 · ½Σx². */
function doubleL2Loss(x: GraphOutput, graph: Graph): NewNode {
  const T = { type: DT.float32 };
  const half: GraphNode = graph.append({ op: 'L2Loss', inputs: [x], attrs: { T }, outputs: [{ shape: [], dtype: 'float32' }] });
  const two = graph.constant({ shape: [], dtype: 'float32' }, Float32Array.of(2));
  return { op: 'Mul', inputs: [outputOf(half), two], attrs: { T } };
}

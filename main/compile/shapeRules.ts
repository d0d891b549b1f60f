/**
 * Output shape and dtype of every op a traced function may use, by TensorFlow's op name. A table: one line per family of ops, the longer rules as
 * functions below it. Shapes come from the inputs' shapes and from inputs that are constants (axes, sizes); an op that is not here makes the
 * function uncompilable and is named. test/compile/shapeRules.test.ts compares every rule with real execution.
 */
import type { HostArray, TensorDtype, TensorSpec } from './program.ts';
import { UncompilableError } from './program.ts';

/** An op as it is about to be appended. */
export interface OpCall {
  readonly op: string;
  readonly inputs: readonly OpInput[];
  readonly attrs: Readonly<Record<string, AttrScalar>>;
}

export interface OpInput extends TensorSpec {
  /** The values, when the input is a constant of the trace. */
  readonly constant?: HostArray | undefined;
}

export type AttrScalar = number | boolean | string | readonly number[];

type ShapeRule = (call: OpCall) => readonly TensorSpec[];

/** Specs of the call's results. Throws an UncompilableError that names the op when there is no rule or a size is not known yet. */
export function inferOutputs(call: OpCall): readonly TensorSpec[] {
  const rule = RULES.get(call.op);
  if (!rule) throw new UncompilableError(`the op ${call.op} has no shape rule (main/compile/shapeRules.ts)`);
  return rule(call);
}

/** Names of all ops with a rule. */
export function knownOps(): string[] {
  return [...RULES.keys()];
}

const unary = ruleFor(
  'Abs Acos Asin Atan Ceil Cos Cosh Elu Erf Exp Expm1 Floor LeakyRelu Log Log1p LogicalNot Neg OnesLike Reciprocal Relu Relu6',
  'Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Sqrt Square Tan Tanh ZerosLike Cumsum Cumprod ReverseV2',
)((call) => [input(call, 0)]);
const binary = ruleFor('Add Atan2 FloorDiv FloorMod LogicalAnd LogicalOr Maximum Minimum Mul Pow RealDiv SquaredDifference Sub')((call) => [
  { shape: broadcast(call, 0, 1), dtype: input(call, 0).dtype },
]);
const comparison = ruleFor('Equal Greater GreaterEqual Less LessEqual NotEqual')((call) => [
  { shape: broadcast(call, 0, 1), dtype: 'bool' },
]);
const predicate = ruleFor('IsFinite IsInf IsNan')((call) => [{ ...input(call, 0), dtype: 'bool' }]);
const reduction = ruleFor('All Any Max Mean Min Prod Sum')((call) => [reduced(call)]);
const argument = ruleFor('ArgMax ArgMin')((call) => [{ shape: without(input(call, 0).shape, axisOf(call, 1, 0)), dtype: 'int32' }]);
const gradient = ruleFor('EluGrad')((call) => [input(call, 0)]);

const RULES: ReadonlyMap<string, ShapeRule> = new Map([
  ...[...unary, ...binary, ...comparison, ...predicate, ...reduction, ...argument, ...gradient],
  ['AddN', (call) => [input(call, 0)]],
  ['BatchMatMulV2', (call) => [product(call)]],
  ['Cast', (call) => [{ shape: input(call, 0).shape, dtype: dtypeOf(call, 'DstT') }]],
  ['ConcatV2', (call) => [concatenated(call)]],
  ['ExpandDims', (call) => [expanded(call)]],
  ['Fill', (call) => [{ shape: integers(call, 0), dtype: input(call, 1).dtype }]],
  ['GatherV2', (call) => [gathered(call)]],
  ['MirrorPad', (call) => [padded(call)]],
  ['OneHot', (call) => [{ shape: [...input(call, 0).shape, integers(call, 1)[0] as number], dtype: input(call, 2).dtype }]],
  ['Pack', (call) => [packed(call)]],
  ['PadV2', (call) => [padded(call)]],
  ['PreloraAdapterGrad', (call) => [input(call, 2), input(call, 3)]],
  ['PreloraAttention', attended],
  ['PreloraAttentionGrad', (call) => [input(call, 1), input(call, 2), input(call, 3)]],
  ['PreloraGelu', (call) => [input(call, 0)]],
  ['PreloraGeluGrad', (call) => [input(call, 1)]],
  ['PreloraLayerNorm', (call) => [input(call, 0), ...rowStatistics(call)]],
  ['PreloraLayerNormGrad', (call) => [input(call, 1), { shape: [2, at(input(call, 1).shape, 1)], dtype: 'float32' }]],
  ['PreloraLayerNormInputGrad', (call) => [input(call, 1)]],
  ['Range', (call) => [{ shape: [rangeLength(call)], dtype: input(call, 0).dtype }]],
  ['Reshape', (call) => [reshaped(call)]],
  ['Select', (call) => [input(call, 1)]],
  ['Slice', (call) => [{ shape: integers(call, 2), dtype: input(call, 0).dtype }]],
  ['SplitV', splitParts],
  ['StridedSlice', (call) => [stridedSlice(call)]],
  [
    'Tile',
    (call) => [{ shape: input(call, 0).shape.map((side, axis) => side * at(integers(call, 1), axis)), dtype: input(call, 0).dtype }],
  ],
  ['TopKV2', topK],
  ['Transpose', (call) => [{ shape: integers(call, 1).map((axis) => at(input(call, 0).shape, axis)), dtype: input(call, 0).dtype }]],
  ['Unpack', (call) => Array.from({ length: number(call, 'num') }, () => unpackedPart(call))],
  ['UnsortedSegmentSum', (call) => [segments(call)]],
] satisfies [string, ShapeRule][]);

function ruleFor(...names: string[]): (rule: ShapeRule) => [string, ShapeRule][] {
  return (rule) => names.flatMap((line) => line.split(' ')).map((name) => [name, rule]);
}

function input(call: OpCall, index: number): TensorSpec {
  const found = call.inputs[index];
  if (!found) throw new UncompilableError(`${call.op} has ${call.inputs.length} inputs, not ${index + 1}`);
  return { shape: found.shape, dtype: found.dtype };
}

/** Values of an input that must be known while tracing. */
function integers(call: OpCall, index: number): number[] {
  const constant = call.inputs[index]?.constant;
  if (constant) return [...constant];
  throw new UncompilableError(`input ${index} of ${call.op} decides a shape, so it must be a constant and not a computed tensor`);
}

function number(call: OpCall, name: string): number {
  return Number(call.attrs[name] ?? 0);
}

function at(values: readonly number[], axis: number): number {
  const value = values.at(axis);
  if (value === undefined) throw new UncompilableError(`there is no axis ${axis} among ${values.length}`);
  return value;
}

function axisOf(call: OpCall, index: number, of: number, extra = 0): number {
  const axis = at(integers(call, index), 0);
  return axis < 0 ? axis + input(call, of).shape.length + extra : axis;
}

function without(shape: readonly number[], axis: number): number[] {
  return shape.filter((_, other) => other !== axis);
}

/** NumPy's broadcasting of two inputs' shapes. */
function broadcast(call: OpCall, first: number, second: number): number[] {
  return broadcastShapes(input(call, first).shape, input(call, second).shape, call.op);
}

function broadcastShapes(a: readonly number[], b: readonly number[], op: string): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a.at(axis - rank) ?? 1;
    const right = b.at(axis - rank) ?? 1;
    const sideA = axis - rank + a.length < 0 ? 1 : left;
    const sideB = axis - rank + b.length < 0 ? 1 : right;
    if (sideA !== sideB && sideA !== 1 && sideB !== 1) throw new UncompilableError(`${op} cannot broadcast [${a}] with [${b}]`);
    return sideA === 1 ? sideB : sideA;
  });
}

/** One side may be −1: what is left. */
function reshaped(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  const wanted = integers(call, 1);
  const known = wanted.reduce((size, side) => (side < 0 ? size : size * side), 1);
  const size = shape.reduce((product, side) => product * side, 1);
  return { shape: wanted.map((side) => (side < 0 ? size / known : side)), dtype };
}

function reduced(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  const axes = new Set(integers(call, 1).map((axis) => (axis < 0 ? axis + shape.length : axis)));
  const kept = call.attrs.keep_dims === true;
  return { shape: shape.flatMap((side, axis) => (axes.has(axis) ? (kept ? [1] : []) : [side])), dtype };
}

/** [… n, k] · [… k, m] → [… n, m], batch axes broadcast. */
function product(call: OpCall): TensorSpec {
  const [a, b] = [input(call, 0), input(call, 1)];
  const rows = at(a.shape, call.attrs.adj_x ? -1 : -2);
  const columns = at(b.shape, call.attrs.adj_y ? -2 : -1);
  return { shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), call.op), rows, columns], dtype: a.dtype };
}

function concatenated(call: OpCall): TensorSpec {
  const parts = call.inputs.slice(0, -1);
  const axis = axisOf(call, call.inputs.length - 1, 0);
  const { shape, dtype } = input(call, 0);
  const total = parts.reduce((sum, part) => sum + at(part.shape, axis), 0);
  return { shape: shape.map((side, other) => (other === axis ? total : side)), dtype };
}

function expanded(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  return { shape: shape.toSpliced(axisOf(call, 1, 0, 1), 0, 1), dtype };
}

function gathered(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  const indices = input(call, 1).shape;
  const axis = axisOf(call, 2, 0);
  return { shape: [...shape.slice(0, axis), ...indices.slice(number(call, 'batch_dims')), ...shape.slice(axis + 1)], dtype };
}

function padded(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  const padding = integers(call, 1);
  return { shape: shape.map((side, axis) => side + at(padding, 2 * axis) + at(padding, 2 * axis + 1)), dtype };
}

function packed(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  const axis = number(call, 'axis');
  return { shape: shape.toSpliced(axis < 0 ? axis + shape.length + 1 : axis, 0, call.inputs.length), dtype };
}

function unpackedPart(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  const axis = number(call, 'axis');
  return { shape: without(shape, axis < 0 ? axis + shape.length : axis), dtype };
}

function rangeLength(call: OpCall): number {
  const [start, stop, step] = [0, 1, 2].map((index) => at(integers(call, index), 0)) as [number, number, number];
  return Math.max(0, Math.ceil((stop - start) / step));
}

function splitParts(call: OpCall): TensorSpec[] {
  const { shape, dtype } = input(call, 0);
  const axis = axisOf(call, 2, 0);
  return integers(call, 1).map((size) => ({ shape: shape.map((side, other) => (other === axis ? size : side)), dtype }));
}

/** Begin, end and strides with the masks tfjs sets: begin, end, new axis, shrink; an ellipsis is resolved by tfjs or refused. */
function stridedSlice(call: OpCall): TensorSpec {
  if (number(call, 'ellipsis_mask'))
    throw new UncompilableError('StridedSlice with an ellipsis has no shape rule; slice with explicit axes');
  const { shape, dtype } = input(call, 0);
  const [begin, end, strides] = [integers(call, 1), integers(call, 2), integers(call, 3)];
  const has = (mask: string, axis: number) => (number(call, mask) & (1 << axis)) !== 0;
  const result: number[] = [];
  let source = 0;
  for (let axis = 0; axis < begin.length; axis++) {
    if (has('new_axis_mask', axis)) {
      result.push(1);
      continue;
    }
    const side = at(shape, source++);
    if (has('shrink_axis_mask', axis)) continue;
    const first = has('begin_mask', axis) ? undefined : at(begin, axis);
    const last = has('end_mask', axis) ? undefined : at(end, axis);
    result.push(sliceLength(side, at(strides, axis), first, last));
  }
  return { shape: [...result, ...shape.slice(source)], dtype };
}

function sliceLength(side: number, stride: number, begin?: number, end?: number): number {
  const [low, high] = stride > 0 ? [0, side] : [-1, side - 1];
  const clamp = (value: number) => Math.min(Math.max(value < 0 ? value + side : value, low), high);
  const first = begin === undefined ? (stride > 0 ? 0 : side - 1) : clamp(begin);
  const last = end === undefined ? (stride > 0 ? side : -1) : clamp(end);
  return Math.max(0, Math.ceil((last - first) / stride));
}

/** What attends, and the log-sum-exp of every row of scores, `[B, H, M]`. */
function attended(call: OpCall): TensorSpec[] {
  const [batch, heads] = [number(call, 'batch'), number(call, 'heads')];
  const asking = input(call, 0);
  return [asking, { shape: [batch, heads, at(asking.shape, 0) / batch], dtype: 'float32' }];
}

/** Mean and 1/σ of every row. */
function rowStatistics(call: OpCall): TensorSpec[] {
  const spec: TensorSpec = { shape: [at(input(call, 0).shape, 0), 1], dtype: 'float32' };
  return [spec, spec];
}

function topK(call: OpCall): TensorSpec[] {
  const { shape, dtype } = input(call, 0);
  const found = [...shape.slice(0, -1), at(integers(call, 1), 0)];
  return [
    { shape: found, dtype },
    { shape: found, dtype: 'int32' },
  ];
}

function segments(call: OpCall): TensorSpec {
  const { shape, dtype } = input(call, 0);
  return { shape: [at(integers(call, 2), 0), ...shape.slice(input(call, 1).shape.length)], dtype };
}

const DTYPES: Readonly<Record<number, TensorDtype>> = { 1: 'float32', 3: 'int32', 10: 'bool' };

function dtypeOf(call: OpCall, name: string): TensorDtype {
  const dtype = DTYPES[number(call, name)];
  if (!dtype) throw new UncompilableError(`${call.op} gives a tensor type other than float32, int32 and bool`);
  return dtype;
}

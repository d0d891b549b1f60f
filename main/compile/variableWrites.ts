/**
 * Assignments and fused updates at the end of a function, ordered by control edges after the guard and after whatever still reads the variable.
 * AdamW is TensorFlow's ResourceApplyAdam, one pass over parameter, moments and gradient, behind one subtraction for the decoupled decay
 * (tensorflow/core/kernels/training_ops.cc): with both beta powers fed as 0 its step size is `lr` itself, as program.ts's AdamWUpdate wants it.
 * Our own kernel (resources/kernels/adamw.h) does clip and decay in the same pass. It writes where its reads of the variables lie, so nothing else
 * may lie there: see `ownedValue`.
 */
import { hasKernels } from '../engine/kernels.ts';
import { DT, type Graph, type GraphNode, type GraphOutput, outputOf, specOf } from './graph.ts';
import type { TracedFunction, TracedUpdate } from './trace.ts';

export interface WriteContext {
  readonly graph: Graph;
  readonly handles: ReadonlyMap<string, GraphNode>;
  /** Nodes the function's results need; others will not run and must not be waited for. */
  readonly live: ReadonlySet<GraphNode>;
  readonly guard: GraphNode | undefined;
}

/** Ops whose result shares its input's memory: who uses the result still holds the variable's buffer. */
const ALIASES = new Set(['Identity', 'Reshape', 'ExpandDims']);

/** Appends all writes of the function; returns the nodes that complete them. */
export function appendWrites(traced: TracedFunction, context: WriteContext): GraphNode[] {
  const readers = findReaders(traced, context.live);
  const writes = Array.from(traced.assign, ([variable, value]) => appendAssign(variable, value, { ...context, readers }));
  let previous: GraphNode | undefined;
  for (const update of traced.updates) {
    // One after the other: what an update needs besides the variables, a tensor of the parameter's size, then exists once and not for all.
    const append = hasKernels() ? appendOwnAdamW : appendAdamW;
    previous = append(update, traced, { ...context, readers, previous });
    writes.push(previous);
  }
  return writes;
}

/**
 * The value, or a copy where it would be the memory of a variable: TensorFlow lets reads, assignments and results share a variable's memory
 * until an update of its own copies it, which ours does not.
 */
export function ownedValue(graph: Graph, value: GraphOutput): GraphOutput {
  let { node } = value;
  while (ALIASES.has(node.op)) node = (node.inputs[0] as GraphOutput).node;
  if (node.op !== 'ReadVariableOp') return value;
  const spec = specOf(value);
  return outputOf(graph.append({ op: 'DeepCopy', inputs: [value], attrs: { T: { type: DT[spec.dtype] } }, outputs: [spec] }));
}

type Readers = ReadonlyMap<string, readonly GraphNode[]>;
type Context = WriteContext & { readonly readers: Readers; readonly previous?: GraphNode | undefined };

/** Per variable the live read and everything live that holds its result. */
function findReaders({ reads }: TracedFunction, live: ReadonlySet<GraphNode>): Readers {
  const users = new Map<GraphNode, GraphNode[]>();
  for (const node of live) {
    for (const { node: source } of node.inputs) {
      if (source.op === 'ReadVariableOp' || ALIASES.has(source.op)) users.set(source, [...(users.get(source) ?? []), node]);
    }
  }
  const holdersOf = (node: GraphNode): GraphNode[] => [
    node,
    ...(users.get(node) ?? []).flatMap((user) => (ALIASES.has(user.op) ? holdersOf(user) : [user])),
  ];
  return new Map(Array.from(reads, ([variable, read]) => [variable, live.has(read) ? holdersOf(read) : []]));
}

function controlsFor(variables: readonly string[], { readers, guard }: Context): GraphNode[] {
  return [...variables.flatMap((variable) => readers.get(variable) ?? []), ...(guard ? [guard] : [])];
}

function appendAssign(variable: string, value: GraphOutput, context: Context): GraphNode {
  const inputs = [outputOf(context.handles.get(variable) as GraphNode), value];
  const attrs = { dtype: { type: DT[specOf(value).dtype] } };
  const controls = controlsFor([variable], context).filter((node) => node !== value.node);
  return context.graph.append({ op: 'AssignVariableOp', inputs, attrs, controls, name: `assign/${variable}` });
}

function appendOwnAdamW(update: TracedUpdate, { reads }: TracedFunction, context: Context): GraphNode {
  const { parameter, m, v, gradient, clip, beta1, beta2, stepSize, epsilon, decay } = update;
  const { graph } = context;
  const read = (name: string) => outputOf(reads.get(name) as GraphNode);
  const scalar = (value: number) => graph.constant({ shape: [], dtype: 'float32' }, Float32Array.of(value), `adam/${parameter}/${value}`);
  const scalars = [clip ?? scalar(1), beta1, beta2, stepSize, epsilon, decay ?? scalar(0)];
  const ownReads = new Set([parameter, m, v].map((name) => reads.get(name)));
  const others = controlsFor([parameter, m, v], context).filter((node) => !ownReads.has(node));
  return graph.append({
    op: 'PreloraAdamW',
    inputs: [read(parameter), read(m), read(v), gradient, ...scalars],
    controls: [...others, ...(context.previous ? [context.previous] : [])],
    name: `adam/${parameter}`,
  });
}

function appendAdamW(update: TracedUpdate, traced: TracedFunction, context: Context): GraphNode {
  const { parameter, m, v, beta1, beta2, stepSize, epsilon } = update;
  const { graph, handles } = context;
  const gradient = clippedGradient(update, graph);
  const handle = (name: string) => outputOf(handles.get(name) as GraphNode);
  const zero = graph.constant({ shape: [], dtype: 'float32' }, Float32Array.of(0), `adam/${parameter}/zero`);
  const decayed = isDecaying(update) ? [appendDecay(update, traced, context)] : [];
  return graph.append({
    op: 'ResourceApplyAdam',
    inputs: [handle(parameter), handle(m), handle(v), zero, zero, stepSize, beta1, beta2, epsilon, gradient],
    attrs: { T: { type: DT.float32 }, use_locking: { b: false }, use_nesterov: { b: false } },
    controls: [...controlsFor([parameter, m, v], context), ...decayed, ...(context.previous ? [context.previous] : [])],
    name: `adam/${parameter}`,
  });
}

function clippedGradient({ parameter, gradient, clip }: TracedUpdate, graph: Graph): GraphOutput {
  if (!clip) return gradient;
  const attrs = { T: { type: DT.float32 } };
  return outputOf(
    graph.append({ op: 'Mul', inputs: [gradient, clip], attrs, outputs: [specOf(gradient)], name: `adam/${parameter}/clipped` }),
  );
}

type DecayingUpdate = TracedUpdate & { readonly decay: GraphOutput };

function isDecaying(update: TracedUpdate): update is DecayingUpdate {
  return update.decay !== undefined;
}

/** θ ← θ − decay·θ, after all who use θ, and not before the gradient is there: it would hold its memory through the whole step. */
function appendDecay({ decay, parameter, gradient }: DecayingUpdate, { reads }: TracedFunction, context: Context): GraphNode {
  const { graph, handles } = context;
  const read = reads.get(parameter) as GraphNode;
  const type = { type: DT.float32 };
  const outputs = [specOf(outputOf(read))];
  const controls = [gradient.node, ...(context.previous ? [context.previous] : []), ...(context.guard ? [context.guard] : [])];
  const inputs = [outputOf(read), decay];
  const share = graph.append({ op: 'Mul', inputs, controls, attrs: { T: type }, outputs, name: `decay/${parameter}/share` });
  return graph.append({
    op: 'AssignSubVariableOp',
    inputs: [outputOf(handles.get(parameter) as GraphNode), outputOf(share)],
    attrs: { dtype: type },
    controls: controlsFor([parameter], context),
    name: `decay/${parameter}`,
  });
}

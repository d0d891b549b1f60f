/**
 * The one graph of a program: handles of the variables, the traced functions over them, and what makes a call of each: outputs to fetch, and
 * assignments ordered after every read. TensorFlow itself orders only what an edge orders (resource_variable_ops.cc): a read that is not forced
 * before an assignment may see the new value, and an update in place copies the variable first while anybody still holds a read of it.
 */
import { hasKernels } from '../engine/kernels.ts';
import { collectAncestors, DT, Graph, type GraphNode, type GraphOutput, outputOf, specOf } from './graph.ts';
import { referenceOf } from './graphWriter.ts';
import type { GraphProgram, TensorSpec } from './program.ts';
import type { SymbolicBackend } from './symbolicBackend.ts';
import { appendRead, type TracedFunction, traceFunction } from './trace.ts';
import { appendWrites, ownedValue } from './variableWrites.ts';

/** Names by which a function is called. */
export interface CallSite {
  /** Input → `node:0` of its placeholder. Inputs the function does not use are missing. */
  readonly feeds: ReadonlyMap<string, string>;
  /** Variables the function reads or updates in place: they must have a value. */
  readonly needs: readonly string[];
  /** Variables that have a value after the call. */
  readonly assigns: readonly string[];
  readonly outputs: readonly string[];
  /** One per output, then one that completes the assignments. */
  readonly fetches: readonly string[];
}

/** Names by which one variable is read and written. */
export interface VariableSite {
  readonly read: string;
  readonly feed: string;
  /** Fetches that complete a write of the fed value, or of as many copies of the scalar fed to `fill`. */
  readonly written: string;
  readonly filled: string;
  readonly fill: string;
}

export interface AssembledGraph {
  /** Live nodes only. */
  readonly nodes: readonly GraphNode[];
  readonly functions: ReadonlyMap<string, CallSite>;
  readonly variables: ReadonlyMap<string, VariableSite>;
}

/** Traces all functions into one graph. Throws an UncompilableError where a function cannot be part of one. */
export function assembleGraph(program: GraphProgram, backend: SymbolicBackend): AssembledGraph {
  const graph = new Graph();
  const handles = new Map(Object.entries(program.variables).map(([name, spec]) => [name, appendHandle(graph, name, spec)]));
  const roots: GraphNode[] = [];
  const functions = new Map<string, CallSite>();
  for (const [name, fn] of Object.entries(program.functions)) {
    const traced = traceFunction(name, fn, { program, graph, handles, backend });
    functions.set(name, appendCallSite(traced, { graph, handles, roots }));
  }
  const variables = new Map<string, VariableSite>();
  for (const [name, spec] of Object.entries(program.variables)) {
    variables.set(name, appendVariableSite(name, spec, { graph, handles, roots }));
  }
  const live = collectAncestors(roots);
  return { nodes: graph.nodes.filter((node) => live.has(node)), functions, variables };
}

interface Assembly {
  readonly graph: Graph;
  readonly handles: ReadonlyMap<string, GraphNode>;
  /** Everything that may be fetched; what they do not need is dead. */
  readonly roots: GraphNode[];
}

/** The message of a failed guard, by which it is told from other errors. */
export const GUARD_MESSAGE = 'prelora: guard is not finite';

function appendCallSite(given: TracedFunction, { graph, handles, roots }: Assembly): CallSite {
  const traced = ownedResults(given, graph);
  const { name, feeds, reads, outputs, assign, updates } = traced;
  const guard = traced.guard && appendGuard(graph, name, traced.guard);
  const outputNodes = Array.from(outputs, ([output, value]) => appendIdentity(graph, value, `${name}/output/${output}`));
  const sources = [...outputNodes, ...(guard ? [guard] : []), ...valuesOf(traced).map(({ node }) => node)];
  const live = collectAncestors(sources);
  const writes = appendWrites(traced, { graph, handles, live, guard });
  const done = appendDone(graph, `${name}/done`, [...writes, ...(guard ? [guard] : [])]);
  const fetched = [...outputNodes, done];
  roots.push(...fetched);
  const updated = updates.flatMap(({ parameter, m, v }) => [parameter, m, v]);
  const read = Array.from(reads).flatMap(([variable, node]) => (live.has(node) ? [variable] : []));
  return {
    feeds: new Map(Array.from(feeds).flatMap(([input, node]) => (live.has(node) ? [[input, referenceOf(outputOf(node))]] : []))),
    needs: [...new Set([...read, ...updated])],
    assigns: [...assign.keys()],
    outputs: [...outputs.keys()],
    fetches: fetched.map((node) => referenceOf(outputOf(node))),
  };
}

function ownedResults(traced: TracedFunction, graph: Graph): TracedFunction {
  if (!hasKernels()) return traced;
  const owned = (values: ReadonlyMap<string, GraphOutput>) =>
    new Map(Array.from(values, ([name, value]) => [name, ownedValue(graph, value)]));
  return { ...traced, outputs: owned(traced.outputs), assign: owned(traced.assign) };
}

/** Everything a function's assignments are computed from. */
function valuesOf({ assign, updates }: TracedFunction): GraphOutput[] {
  const scalars = updates.flatMap(({ gradient, beta1, beta2, stepSize, epsilon, clip, decay }) => [
    ...[gradient, beta1, beta2, stepSize, epsilon],
    ...[clip, decay].filter((scalar) => scalar !== undefined),
  ]);
  return [...assign.values(), ...scalars];
}

function appendGuard(graph: Graph, name: string, guard: GraphOutput): GraphNode {
  const attrs = { T: { type: DT.float32 }, message: { s: GUARD_MESSAGE } };
  return graph.append({ op: 'CheckNumerics', inputs: [guard], attrs, outputs: [specOf(guard)], name: `${name}/guard` });
}

/** A node of our own to fetch: TensorFlow refuses to fetch what is fed, and may rename what it optimises. */
function appendIdentity(graph: Graph, value: GraphOutput, name: string): GraphNode {
  const spec = specOf(value);
  return graph.append({ op: 'Identity', inputs: [value], attrs: { T: { type: DT[spec.dtype] } }, outputs: [spec], name });
}

/** The binding fetches tensors, not operations: a scalar that is there when all of `controls` have run. */
function appendDone(graph: Graph, name: string, controls: Iterable<GraphNode>): GraphNode {
  const zero = graph.constant({ shape: [], dtype: 'int32' }, Int32Array.of(0), `${name}/zero`);
  return graph.append({ op: 'Identity', inputs: [zero], controls, attrs: { T: { type: DT.int32 } }, outputs: [specOf(zero)], name });
}

function appendHandle(graph: Graph, name: string, spec: TensorSpec): GraphNode {
  const attrs = { dtype: { type: DT[spec.dtype] }, shape: { shape: spec.shape }, shared_name: { s: name }, container: { s: '' } };
  return graph.append({ op: 'VarHandleOp', attrs, outputs: [spec], name: `variable/${name}` });
}

function appendVariableSite(name: string, spec: TensorSpec, { graph, handles, roots }: Assembly): VariableSite {
  const handle = handles.get(name) as GraphNode;
  const dtype = { type: DT[spec.dtype] };
  const feed = graph.append({
    op: 'Placeholder',
    attrs: { dtype, shape: { shape: spec.shape } },
    outputs: [spec],
    name: `variable/${name}/feed`,
  });
  const dims = graph.constant({ shape: [spec.shape.length], dtype: 'int32' }, Int32Array.from(spec.shape), `variable/${name}/dims`);
  // Fed, not a constant: TensorFlow would give all variables that are filled alike one tensor's memory, and updates in place would meet there.
  const fill = graph.append({
    op: 'Placeholder',
    attrs: { dtype, shape: { shape: [] } },
    outputs: [{ shape: [], dtype: spec.dtype }],
    name: `variable/${name}/fill`,
  });
  const fillAttrs = { T: dtype, index_type: { type: DT.int32 } };
  const copies = graph.append({ op: 'Fill', inputs: [dims, outputOf(fill)], attrs: fillAttrs, outputs: [spec] });
  const write = (value: GraphNode) =>
    graph.append({ op: 'AssignVariableOp', inputs: [outputOf(handle), outputOf(value)], attrs: { dtype } });
  const read = appendRead(graph, spec, handle, `variable/${name}/read`);
  // A copy: the binding feeds a typed array's own memory (tfjs_backend.cc), which the variable would share with the caller.
  const copy = graph.append({ op: 'DeepCopy', inputs: [outputOf(feed)], attrs: { T: dtype }, outputs: [spec] });
  const written = appendDone(graph, `variable/${name}/written`, [write(copy)]);
  const filled = appendDone(graph, `variable/${name}/filled`, [write(copies)]);
  roots.push(read, written, filled);
  const reference = (node: GraphNode): string => referenceOf(outputOf(node));
  return { read: reference(read), feed: reference(feed), written: reference(written), filled: reference(filled), fill: reference(fill) };
}

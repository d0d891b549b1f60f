/**
 * Runs a function once on symbolic tensors and says which nodes came of it. The graph it appends to already holds the variables' handles;
 * nothing is executed and nothing is read (architecture.md section 5).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { checkAssigned, findVariable } from './feeds.ts';
import { DT, type Graph, type GraphNode, type GraphOutput, outputOf } from './graph.ts';
import {
  type AdamWUpdate,
  type FunctionResult,
  type GraphFunction,
  type GraphProgram,
  type TensorSpec,
  UncompilableError,
} from './program.ts';
import { SYMBOLIC, type SymbolicBackend } from './symbolicBackend.ts';

/** An AdamWUpdate with nodes in place of tensors. */
export type TracedUpdate = Pick<AdamWUpdate, 'parameter' | 'm' | 'v'> & {
  readonly [K in 'gradient' | 'beta1' | 'beta2' | 'stepSize' | 'epsilon']: GraphOutput;
} & { readonly clip?: GraphOutput; readonly decay?: GraphOutput };

/** What one function became: where it is fed, which variables it reads, what it gives. */
export interface TracedFunction {
  readonly name: string;
  readonly feeds: ReadonlyMap<string, GraphNode>;
  /** One ReadVariableOp per variable, whether it is used or not. */
  readonly reads: ReadonlyMap<string, GraphNode>;
  readonly outputs: ReadonlyMap<string, GraphOutput>;
  readonly assign: ReadonlyMap<string, GraphOutput>;
  readonly updates: readonly TracedUpdate[];
  readonly guard?: GraphOutput | undefined;
}

export interface TraceTarget {
  readonly program: GraphProgram;
  readonly graph: Graph;
  /** VarHandleOp of every variable. */
  readonly handles: ReadonlyMap<string, GraphNode>;
  readonly backend: SymbolicBackend;
}

/** Appends the function's nodes to the graph. Throws an UncompilableError that says what cannot be part of a graph, and whatever the body throws. */
export function traceFunction(name: string, fn: GraphFunction, target: TraceTarget): TracedFunction {
  const { program, graph, handles, backend } = target;
  const feeds = mapValues(fn.inputs, (spec, input) => appendFeed(graph, spec, `${name}/feed/${input}`));
  const reads = mapValues(program.variables, (spec, variable) =>
    appendRead(graph, spec, handles.get(variable) as GraphNode, `${name}/${variable}`),
  );
  return onSymbolicBackend(name, () => {
    backend.begin(graph, `${name}/`);
    const result = fn.body(tensorsFor(reads, backend), tensorsFor(feeds, backend));
    return { name, feeds, reads, ...describeResult(name, result, target) };
  });
}

function appendFeed(graph: Graph, spec: TensorSpec, name: string): GraphNode {
  return graph.append({
    op: 'Placeholder',
    attrs: { dtype: { type: DT[spec.dtype] }, shape: { shape: spec.shape } },
    outputs: [spec],
    name,
  });
}

/** A read of the variable as it is when the read runs. */
export function appendRead(graph: Graph, spec: TensorSpec, handle: GraphNode, name: string): GraphNode {
  return graph.append({
    op: 'ReadVariableOp',
    inputs: [outputOf(handle)],
    attrs: { dtype: { type: DT[spec.dtype] } },
    outputs: [spec],
    name,
  });
}

function tensorsFor(nodes: ReadonlyMap<string, GraphNode>, backend: SymbolicBackend): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, node] of nodes) tensors[name] = backend.createTensor(outputOf(node));
  return tensors;
}

type Results = Pick<TracedFunction, 'outputs' | 'assign' | 'updates' | 'guard'>;

function describeResult(
  name: string,
  { outputs, assign = {}, updates = [], guard }: FunctionResult,
  { program, backend }: TraceTarget,
): Results {
  const outputFor = (tensor: Tensor) => backend.outputFor(tensor);
  for (const [variable, value] of Object.entries(assign)) checkAssigned(name, variable, findVariable(program, variable), value);
  for (const { parameter, m, v, gradient } of updates) {
    for (const variable of [parameter, m, v]) checkAssigned(name, variable, findVariable(program, variable), gradient);
  }
  checkAssignedOnce(name, [...Object.keys(assign), ...updates.flatMap(({ parameter, m, v }) => [parameter, m, v])]);
  return {
    outputs: mapValues(outputs, outputFor),
    assign: mapValues(assign, outputFor),
    updates: updates.map((update) => describeUpdate(update, outputFor)),
    guard: guard && outputFor(guard),
  };
}

function describeUpdate(update: AdamWUpdate, outputFor: (tensor: Tensor) => GraphOutput): TracedUpdate {
  const { parameter, m, v, clip, decay } = update;
  return {
    parameter,
    m,
    v,
    gradient: outputFor(update.gradient),
    beta1: outputFor(update.beta1),
    beta2: outputFor(update.beta2),
    stepSize: outputFor(update.stepSize),
    epsilon: outputFor(update.epsilon),
    ...(clip ? { clip: outputFor(clip) } : {}),
    ...(decay ? { decay: outputFor(decay) } : {}),
  };
}

function checkAssignedOnce(name: string, variables: readonly string[]): void {
  const twice = variables.find((variable, i) => variables.indexOf(variable) !== i);
  if (twice) throw new RangeError(`"${name}" assigns variable "${twice}" twice`);
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => R): Map<string, R> {
  return new Map(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}

/** Runs `work` in a tidy with the symbolic backend set, and sets the former one again. */
function onSymbolicBackend<T>(name: string, work: () => T): T {
  const former = tf.getBackend();
  // setBackend is asynchronous for backends that load something; with this one it has taken effect when it returns.
  void tf.setBackend(SYMBOLIC);
  try {
    let result: T | undefined;
    tf.tidy(() => {
      result = work();
    });
    return result as T;
  } catch (error) {
    throw translate(name, error);
  } finally {
    void tf.setBackend(former);
  }
}

function translate(name: string, error: unknown): unknown {
  if (error instanceof UncompilableError) return new UncompilableError(`"${name}" cannot be compiled: ${error.message}`);
  const kernel = error instanceof Error && /[Kk]ernel '(\w+)' (?:not registered )?for backend 'symbolic'/.exec(error.message)?.[1];
  return kernel ? new UncompilableError(`"${name}" cannot be compiled: the kernel ${kernel} does not exist in tfjs-node`) : error;
}

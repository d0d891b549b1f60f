/**
 * A TensorFlow graph as plain objects: what the trace appends to, the rewrites change and graphWriter.ts turns into bytes. Names, ops and
 * attributes are TensorFlow's (tensorflow/core/framework/node_def.proto and attr_value.proto).
 */
import type { HostArray, TensorSpec } from './program.ts';

/** Numbers of tensorflow/core/framework/types.proto. */
export const DT = { float32: 1, int32: 3, bool: 10, resource: 20 } as const;

/** One attribute, in the fields of attr_value.proto. */
export interface AttrValue {
  readonly s?: string;
  readonly i?: number;
  readonly f?: number;
  readonly b?: boolean;
  readonly type?: number;
  readonly shape?: readonly number[];
  readonly tensor?: { readonly spec: TensorSpec; readonly value: HostArray };
  readonly list?: { readonly i?: readonly number[]; readonly s?: readonly string[] };
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  inputs: GraphOutput[];
  /** Nodes that must have run before this one, beside its inputs. */
  readonly controls: Set<GraphNode>;
  readonly attrs: Readonly<Record<string, AttrValue>>;
  /** Empty for ops without an output; a resource handle counts as one of its variable's spec. */
  readonly outputs: readonly TensorSpec[];
}

/** One of a node's results. */
export interface GraphOutput {
  readonly node: GraphNode;
  readonly index: number;
}

export interface NewNode {
  readonly op: string;
  readonly inputs?: readonly GraphOutput[];
  readonly controls?: Iterable<GraphNode>;
  readonly attrs?: Readonly<Record<string, AttrValue>>;
  readonly outputs?: readonly TensorSpec[];
  /** A wish; the graph makes it valid and unique. */
  readonly name?: string;
}

/** Nodes in the order they were appended, so that every input stands before its user. */
export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly #names = new Set<string>();

  append({ op, inputs = [], controls = [], attrs = {}, outputs = [], name }: NewNode): GraphNode {
    const node: GraphNode = { name: this.#uniqueName(name ?? op), op, inputs: [...inputs], controls: new Set(controls), attrs, outputs };
    this.nodes.push(node);
    return node;
  }

  /** A Const node. Values lie inside the graph: for small ones. */
  constant(spec: TensorSpec, value: HostArray, name?: string): GraphOutput {
    const attrs = { dtype: { type: DT[spec.dtype] }, value: { tensor: { spec, value } } };
    return outputOf(this.append({ op: 'Const', attrs, outputs: [spec], name }));
  }

  /** TensorFlow allows [A-Za-z0-9.][A-Za-z0-9_.\/-]* (node_def_util.cc). */
  #uniqueName(wish: string): string {
    const valid = wish.replace(/[^A-Za-z0-9_./-]/g, '_').replace(/^[^A-Za-z0-9.]+/, '');
    let name = valid || 'node';
    for (let suffix = 1; this.#names.has(name); suffix++) name = `${valid}.${suffix}`;
    this.#names.add(name);
    return name;
  }
}

/** The node's first result, or the one at `index`. */
export function outputOf(node: GraphNode, index = 0): GraphOutput {
  return { node, index };
}

/** Spec of a result. */
export function specOf({ node, index }: GraphOutput): TensorSpec {
  const spec = node.outputs[index];
  if (!spec) throw new RangeError(`node ${node.name} (${node.op}) has no output ${index}`);
  return spec;
}

/** The nodes that the roots need, roots included: all others are dead. */
export function collectAncestors(roots: Iterable<GraphNode>): Set<GraphNode> {
  const found = new Set<GraphNode>();
  const waiting = [...roots];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const { node: source } of node.inputs) waiting.push(source);
    waiting.push(...node.controls);
  }
  return found;
}

/**
 * A graph as the bytes of a SavedModel that holds nothing else: no variables' values, no signatures. Field numbers are TensorFlow's
 * (saved_model.proto, meta_graph.proto, graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto at v2.21.0).
 */
import { type AttrValue, DT, type GraphNode, type GraphOutput } from './graph.ts';
import { boolean, bytes, encode, float, int64, message, nested, packedInt64s, repeated, text } from './protobufMessage.ts';

/** Tag under which the graph is found when the SavedModel is loaded. */
export const SERVE = 'serve';
/** Version of GraphDef semantics (TF_GRAPH_DEF_VERSION of a TensorFlow that all supported engines can read). */
const GRAPH_VERSION = 1882;

type Shape = { dim: { size: number }[] };
const shapeProto = message<Shape>({ dim: repeated(nested(2, message<{ size: number }>({ size: int64(1) }))) });
const tensorProto = message<{ dtype: number; shape: Shape; content: Uint8Array }>({
  dtype: int64(1),
  shape: nested(2, shapeProto),
  content: bytes(4),
});

interface AttrProto {
  list?: { s?: readonly string[]; i?: readonly number[] } | undefined;
  s?: string | undefined;
  i?: number | undefined;
  f?: number | undefined;
  b?: boolean | undefined;
  type?: number | undefined;
  shape?: Shape | undefined;
  tensor?: { dtype: number; shape: Shape; content: Uint8Array } | undefined;
}
const attrProto = message<AttrProto>({
  list: nested(1, message<NonNullable<AttrProto['list']>>({ s: repeated(text(2)), i: packedInt64s(3) })),
  s: text(2),
  i: int64(3),
  f: float(4),
  b: boolean(5),
  type: int64(6),
  shape: nested(7, shapeProto),
  tensor: nested(8, tensorProto),
});

interface NodeProto {
  name: string;
  op: string;
  input: string[];
  attr: { key: string; value: AttrProto }[];
}
const nodeProto = message<NodeProto>({
  name: text(1),
  op: text(2),
  input: repeated(text(3)),
  attr: repeated(nested(5, message<NodeProto['attr'][number]>({ key: text(1), value: nested(2, attrProto) }))),
});

interface MetaGraph {
  info: { tags: string[] };
  graph: { node: NodeProto[]; versions: { producer: number } };
}
const graphProto = message<MetaGraph['graph']>({
  node: repeated(nested(1, nodeProto)),
  versions: nested(4, message<{ producer: number }>({ producer: int64(1) })),
});
const metaGraphProto = message<MetaGraph>({
  info: nested(1, message<MetaGraph['info']>({ tags: repeated(text(4)) })),
  graph: nested(2, graphProto),
});
const savedModelProto = message<{ version: number; metaGraph: MetaGraph }>({ version: int64(1), metaGraph: nested(2, metaGraphProto) });

/** The bytes of `saved_model.pb`. Nodes may be in any order; inputs and controls must be among them. */
export function writeSavedModel(nodes: Iterable<GraphNode>): Uint8Array {
  const graph = { node: Array.from(nodes, toNodeProto), versions: { producer: GRAPH_VERSION } };
  return encode(savedModelProto, { version: 1, metaGraph: { info: { tags: [SERVE] }, graph } });
}

/** `node:1`, the name of a result as NodeDef and Session::Run know it. */
export function referenceOf({ node, index }: GraphOutput): string {
  return `${node.name}:${index}`;
}

function toNodeProto({ name, op, inputs, controls, attrs }: GraphNode): NodeProto {
  const input = [...inputs.map(referenceOf), ...Array.from(controls, (control) => `^${control.name}`)];
  return { name, op, input, attr: Object.entries(attrs).map(([key, value]) => ({ key, value: toAttrProto(value) })) };
}

function toAttrProto({ shape, tensor, ...rest }: AttrValue): AttrProto {
  return {
    ...rest,
    shape: shape && toShapeProto(shape),
    tensor: tensor && {
      dtype: DT[tensor.spec.dtype],
      shape: toShapeProto(tensor.spec.shape),
      content: new Uint8Array(tensor.value.buffer, tensor.value.byteOffset, tensor.value.byteLength),
    },
  };
}

function toShapeProto(shape: readonly number[]): Shape {
  return { dim: shape.map((size) => ({ size })) };
}

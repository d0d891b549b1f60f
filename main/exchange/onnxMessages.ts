/** The parts of a model.onnx as protobuf bytes. Field numbers: github.com/onnx/onnx/blob/v1.23.1/onnx/onnx.proto. */
import { encode, float, int64, lengthPrefix, message, nested, repeated, text } from '../compile/protobufMessage.ts';
import type { Shape } from '../core/parameterShapes.ts';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxValue, Opset } from './onnxModel.ts';

/** The version of the file format that came with each opset. */
export const IR_VERSION: Record<Opset, number> = { 17: 8, 20: 9 };
export const PRODUCER = 'prelora';
export const DATA_TYPE = { float32: 1, int64: 7 } as const;
export const ATTRIBUTE_TYPE = { float: 1, int: 2, ints: 7 } as const;
/** Offsets in the data file are multiples of this, so that it can be mapped into memory. */
export const DATA_ALIGNMENT = 4096;
/** Of data_location. */
export const EXTERNAL = 1;
const GRAPH = 7;
const INITIALIZER = 5;
const RAW_DATA = 9;

export interface Entry {
  key: string;
  value: string;
}
const entryProto = message<Entry>({ key: text(1), value: text(2) });

interface TensorHead {
  dims: readonly number[];
  dataType: number;
  name: string;
  externalData?: readonly Entry[];
  dataLocation?: number;
}
/** Without raw_data (9), which is streamed behind it. */
const tensorProto = message<TensorHead>({
  dims: repeated(int64(1)),
  dataType: int64(2),
  name: text(8),
  externalData: repeated(nested(13, entryProto)),
  dataLocation: int64(14),
});

interface AttributeProto {
  name: string;
  f: number | undefined;
  i: number | undefined;
  ints: readonly number[] | undefined;
  type: number;
}
interface NodeProto {
  input: readonly string[];
  output: readonly string[];
  name: string;
  opType: string;
  attribute: readonly AttributeProto[];
}
const attributeProto = message<AttributeProto>({ name: text(1), f: float(2), i: int64(3), ints: repeated(int64(8)), type: int64(20) });
const nodeProto = message<NodeProto>({
  input: repeated(text(1)),
  output: repeated(text(2)),
  name: text(3),
  opType: text(4),
  attribute: repeated(nested(5, attributeProto)),
});

interface Side {
  size?: number;
  name?: string;
}
interface TensorType {
  elemType: number;
  shape: { dim: Side[] };
}
interface ValueProto {
  name: string;
  type: { tensor: TensorType };
}
const shapeProto = message<TensorType['shape']>({ dim: repeated(nested(1, message<Side>({ size: int64(1), name: text(2) }))) });
const tensorType = message<TensorType>({ elemType: int64(1), shape: nested(2, shapeProto) });
const valueProto = message<ValueProto>({ name: text(1), type: nested(2, message<ValueProto['type']>({ tensor: nested(1, tensorType) })) });

const graphHead = message<{ node: readonly NodeProto[]; name: string }>({ node: repeated(nested(1, nodeProto)), name: text(2) });
const graphTail = message<{ input: readonly ValueProto[]; output: readonly ValueProto[] }>({
  input: repeated(nested(11, valueProto)),
  output: repeated(nested(12, valueProto)),
});
const modelHead = message<{ irVersion: number; producerName: string }>({ irVersion: int64(1), producerName: text(2) });
const modelTail = message<{ opsetImport: readonly { version: number }[]; metadata: readonly Entry[] }>({
  opsetImport: repeated(nested(8, message<{ version: number }>({ version: int64(2) }))),
  metadata: repeated(nested(14, entryProto)),
});

/** What stands before the initializers, and after them, when those take `initializerBytes`. */
export function modelFrame(graph: OnnxGraph, opset: Opset, metadata: readonly Entry[], initializerBytes: number): [Uint8Array, Uint8Array] {
  const head = encode(graphHead, { node: graph.nodes.map(toNodeProto), name: PRODUCER });
  const tail = encode(graphTail, { input: graph.inputs.map(toValueProto), output: graph.outputs.map(toValueProto) });
  const start = encode(modelHead, { irVersion: IR_VERSION[opset], producerName: PRODUCER });
  const end = encode(modelTail, { opsetImport: [{ version: opset }], metadata });
  const graphBytes = head.length + initializerBytes + tail.length;
  return [Buffer.concat([start, lengthPrefix(GRAPH, graphBytes), head]), Buffer.concat([tail, end])];
}

export interface InitializerHead {
  name: string;
  type: keyof typeof DATA_TYPE;
  shape: Shape;
  byteLength: number;
}

/** Everything of an initializer but its values, which follow it. */
export function initializerBefore({ name, type, shape, byteLength }: InitializerHead): Uint8Array {
  const head = encode(tensorProto, { dims: shape, dataType: DATA_TYPE[type], name });
  const known = Buffer.concat([head, lengthPrefix(RAW_DATA, byteLength)]);
  return Buffer.concat([lengthPrefix(INITIALIZER, known.length + byteLength), known]);
}

/** The whole initializer of one whose values lie at `offset` of `location`. */
export function initializerElsewhere({ name, type, shape, byteLength }: InitializerHead, location: string, offset: number): Uint8Array {
  const place = { location, offset: String(offset), length: String(byteLength) };
  const externalData = Object.entries(place).map(([key, value]) => ({ key, value }));
  const whole = encode(tensorProto, { dims: shape, dataType: DATA_TYPE[type], name, externalData, dataLocation: EXTERNAL });
  return Buffer.concat([lengthPrefix(INITIALIZER, whole.length), whole]);
}

function toNodeProto({ name, op, inputs, outputs, attributes }: OnnxNode): NodeProto {
  const attribute = Object.entries(attributes).map(([key, value]) => toAttributeProto(key, value));
  return { input: inputs, output: outputs, name, opType: op, attribute };
}

function toAttributeProto(name: string, value: OnnxAttribute): AttributeProto {
  const [kind] = Object.keys(value) as [keyof typeof ATTRIBUTE_TYPE];
  const { float: f, int: i, ints } = value as { float?: number; int?: number; ints?: readonly number[] };
  return { name, f, i, ints, type: ATTRIBUTE_TYPE[kind] };
}

function toValueProto({ name, shape }: OnnxValue): ValueProto {
  const dim = shape.map((side) => (typeof side === 'number' ? { size: side } : { name: side }));
  return { name, type: { tensor: { elemType: DATA_TYPE.float32, shape: { dim } } } };
}

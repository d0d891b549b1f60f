/**
 * A model.onnx of ours, read back without any ONNX library: the graph as plain data, the weights where they lie until they are asked for.
 * What we do not write is refused, so that nothing stands in the file that the checks have not seen.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Shape, sizeOf } from '../core/parameterShapes.ts';
import { systemCode } from '../store/diskFault.ts';
import { readInto } from '../store/safetensors.ts';
import { unsafeTensors } from '../store/safetensorsHeader.ts';
import { ATTRIBUTE_TYPE, DATA_ALIGNMENT, DATA_TYPE, EXTERNAL } from './onnxMessages.ts';
import type { OnnxAttribute, OnnxNode, OnnxValue } from './onnxModel.ts';
import { type Extent, type Field, MessageFile, type Span } from './protobufFields.ts';

export interface OnnxTensor {
  type: keyof typeof DATA_TYPE;
  shape: Shape;
  /** Where the values lie: this or another file of the folder. */
  place: Extent & { file: string };
}

export interface OnnxContents {
  irVersion: number;
  producer: string;
  opset: number;
  /** Of the graph. */
  name: string;
  nodes: OnnxNode[];
  initializers: Map<string, OnnxTensor>;
  metadata: Map<string, string>;
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

/** Reads and checks `file`; of weights, the places alone. Throws `unsafe-tensors`, or the system's error when the file is not there. */
export async function readOnnx(file: string): Promise<OnnxContents> {
  return withOpenFile(file, async (handle) => {
    const messages = new MessageFile(file, handle, (await handle.stat()).size);
    const contents = await readModel(messages);
    checkOutside(file, contents.initializers);
    return contents;
  });
}

/** The values of one tensor. int64 is a BigInt64Array. */
export async function readOnnxTensor({ type, place }: OnnxTensor): Promise<Float32Array | BigInt64Array> {
  return withOpenFile(place.file, async (handle) => {
    const bytes = new Uint8Array(place.end - place.begin);
    await readInto(place.file, handle, bytes, place.begin);
    return type === 'int64' ? new BigInt64Array(bytes.buffer) : new Float32Array(bytes.buffer);
  });
}

async function withOpenFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'r');
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

const MODEL = 'model';

async function readModel(messages: MessageFile): Promise<OnnxContents> {
  const contents: OnnxContents = {
    irVersion: 0,
    producer: '',
    opset: 0,
    name: '',
    nodes: [],
    initializers: new Map(),
    metadata: new Map(),
    inputs: [],
    outputs: [],
  };
  for await (const span of messages.spans({ begin: 0, end: messages.fileBytes }, MODEL)) {
    if (span.id === 7) await readGraph(messages, span, contents);
    else readModelField(await messages.load(span, MODEL), contents);
  }
  return contents;
}

function readModelField(field: Field, contents: OnnxContents): void {
  if (field.id === 1) contents.irVersion = field.number;
  else if (field.id === 2) contents.producer = field.text;
  else if (field.id === 8) contents.opset = readOpset(field);
  else if (field.id === 14) addEntry(field, contents.metadata);
  else unknown(field);
}

/** Of the standard operators: no other domain is used. */
function readOpset(field: Field): number {
  const [version, ...others] = field.fields();
  return version?.id === 2 && others.length === 0 ? version.number : field.refuse('is not the version of the standard operators alone');
}

function addEntry(field: Field, entries: Map<string, string>): void {
  const [key, value, ...others] = field.fields();
  if (key?.id !== 1 || value?.id !== 2 || others.length > 0) field.refuse('is not a key with a value');
  if (entries.has(key.text)) field.refuse(`names ${key.text} a second time`);
  entries.set(key.text, value.text);
}

async function readGraph(messages: MessageFile, graph: Span, contents: OnnxContents): Promise<void> {
  for await (const span of messages.spans(graph, 'graph')) {
    if (span.id === 5) await readInitializer(messages, span, contents.initializers);
    else readGraphField(await messages.load(span, 'graph'), contents);
  }
}

function readGraphField(field: Field, contents: OnnxContents): void {
  if (field.id === 1) contents.nodes.push(readNode(field, `node ${contents.nodes.length}`));
  else if (field.id === 2) contents.name = field.text;
  else if (field.id === 11) contents.inputs.push(readValue(field));
  else if (field.id === 12) contents.outputs.push(readValue(field));
  else unknown(field);
}

function readNode(message: Field, what: string): OnnxNode {
  const node = { name: '', op: '', inputs: [] as string[], outputs: [] as string[], attributes: {} as Record<string, OnnxAttribute> };
  for (const field of message.fields(what)) {
    if (field.id === 1) node.inputs.push(field.text);
    else if (field.id === 2) node.outputs.push(field.text);
    else if (field.id === 3) node.name = field.text;
    else if (field.id === 4) node.op = field.text;
    else if (field.id === 5) Object.assign(node.attributes, readAttribute(field));
    else unknown(field);
  }
  return node;
}

function readAttribute(message: Field): Record<string, OnnxAttribute> {
  let name = '';
  let type = 0;
  const value = { float: 0, int: 0, ints: [] as number[] };
  for (const field of message.fields()) {
    if (field.id === 1) name = field.text;
    else if (field.id === 2) value.float = field.number;
    else if (field.id === 3) value.int = field.number;
    else if (field.id === 8) value.ints.push(field.number);
    else if (field.id === 20) type = field.number;
    else unknown(field);
  }
  const kind = (Object.keys(ATTRIBUTE_TYPE) as (keyof typeof ATTRIBUTE_TYPE)[]).find((kind) => ATTRIBUTE_TYPE[kind] === type);
  return { [name]: { [kind ?? message.refuse(`is an attribute of type ${type}`)]: value[kind as keyof typeof value] } as OnnxAttribute };
}

/** A float32 tensor with its sides; nothing else goes in or out. */
function readValue(message: Field): OnnxValue {
  const value: OnnxValue = { name: '', shape: [] };
  for (const field of message.fields()) {
    if (field.id === 1) value.name = field.text;
    else if (field.id === 2) value.shape = readTensorType(single(field, 1));
    else unknown(field);
  }
  return value;
}

function readTensorType(message: Field): (number | string)[] {
  const [elementType, shape, ...others] = message.fields();
  if (elementType?.id !== 1 || elementType.number !== DATA_TYPE.float32 || shape?.id !== 2 || others.length > 0) {
    message.refuse('is not a float32 tensor with a shape');
  }
  return shape.fields().map((side) => {
    const [size, ...rest] = side.fields();
    if (side.id !== 1 || rest.length > 0) side.refuse('is not one side of a shape');
    if (size?.id === 2) return size.text;
    return size?.id === 1 ? size.number : side.refuse('is neither a size nor a name');
  });
}

function single(message: Field, id: number): Field {
  const [field, ...others] = message.fields();
  return field?.id === id && others.length === 0 ? field : message.refuse(`is not field ${id} alone`);
}

function unknown(field: Field): never {
  return field.refuse('is none that this program writes');
}

async function readInitializer(messages: MessageFile, message: Extent, initializers: Map<string, OnnxTensor>): Promise<void> {
  const parts: InitializerParts = { name: '', type: 0, shape: [], inside: null, outside: new Map(), location: 0 };
  const what = `initializer ${initializers.size}`;
  for await (const span of messages.spans(message, what)) {
    if (span.id === 9) parts.inside = span;
    else readInitializerField(await messages.load(span, what), parts);
  }
  const refuse: Refuse = (rule) => {
    throw unsafeTensors(messages.file, parts.name, rule);
  };
  if (initializers.has(parts.name)) refuse('is there a second time');
  initializers.set(parts.name, checked(parts, await placeOf(messages.file, parts, refuse), refuse));
}

interface InitializerParts {
  name: string;
  type: number;
  shape: number[];
  inside: Extent | null;
  outside: Map<string, string>;
  location: number;
}

function readInitializerField(field: Field, parts: InitializerParts): void {
  if (field.id === 1) parts.shape.push(field.number);
  else if (field.id === 2) parts.type = field.number;
  else if (field.id === 8) parts.name = field.text;
  else if (field.id === 13) addEntry(field, parts.outside);
  else if (field.id === 14) parts.location = field.number;
  else unknown(field);
}

type Refuse = (rule: string) => never;

function checked({ shape, type: number }: InitializerParts, place: OnnxTensor['place'], refuse: Refuse): OnnxTensor {
  const type = (['float32', 'int64'] as const).find((type) => DATA_TYPE[type] === number) ?? refuse(`has data type ${number}`);
  const isShape = shape.every((side) => side >= 0) && Number.isSafeInteger(sizeOf(shape));
  if (!isShape) refuse('shape is not a list of whole numbers from 0 with a product below 2^53');
  const bytes = sizeOf(shape) * (type === 'int64' ? 8 : 4);
  const found = place.end - place.begin;
  if (bytes !== found) refuse(`shape [${shape}] of ${type} takes ${bytes} bytes, it has ${found}`);
  return { type, shape, place };
}

async function placeOf(file: string, { inside, outside, location }: InitializerParts, refuse: Refuse): Promise<OnnxTensor['place']> {
  if (inside && outside.size === 0 && location === 0) return { file, begin: inside.begin, end: inside.end };
  if (!inside && location === EXTERNAL) return outsidePlace(file, outside, refuse);
  return refuse('has its values neither inside alone nor outside alone');
}

/** Offsets and names from a file: neither leads outside the folder, nor past the end of what is there. */
async function outsidePlace(file: string, entries: ReadonlyMap<string, string>, refuse: Refuse): Promise<OnnxTensor['place']> {
  const location = entries.get('location') ?? '';
  if (path.basename(location) !== location || location === '' || location === '.' || location === '..') {
    refuse(`lies in ${JSON.stringify(location)}, which is not a plain file name`);
  }
  const [begin, length] = ['offset', 'length'].map((key) => {
    const text = entries.get(key) ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : refuse(`${key} is ${JSON.stringify(text)}, not a number of bytes`);
  }) as [number, number];
  if (begin % DATA_ALIGNMENT !== 0) refuse(`begins at ${begin}, which is no multiple of ${DATA_ALIGNMENT}`);
  const other = path.join(path.dirname(file), location);
  const there = await sizeOfFile(other, refuse);
  if (begin + length > there) refuse(`ends at ${begin + length}, ${location} has ${there} bytes`);
  return { file: other, begin, end: begin + length };
}

async function sizeOfFile(file: string, refuse: Refuse): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return refuse(`lies in ${path.basename(file)}, which is not there`);
    throw error;
  }
}

/** No two tensors share bytes. Within model.onnx they cannot. */
function checkOutside(file: string, initializers: ReadonlyMap<string, OnnxTensor>): void {
  const outside = [...initializers].filter(([, { place }]) => place.file !== file).sort(([, a], [, b]) => a.place.begin - b.place.begin);
  outside.forEach(([name, { place }], i) => {
    const [before, last] = outside[i - 1] ?? [];
    if (last && last.place.file === place.file && last.place.end > place.begin) throw unsafeTensors(file, name, `begins inside ${before}`);
  });
}

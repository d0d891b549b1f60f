/**
 * A model.onnx as an untrusted file. Its bytes are taken apart and put together again by protobufjs's reflection, from ONNX's own field numbers
 * written down here a second time.
 */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { checkOnnx } from '../../main/exchange/onnxCheck.ts';
import { writeOnnx } from '../../main/exchange/onnxFile.ts';
import { readOnnx, readOnnxTensor } from '../../main/exchange/onnxReading.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { modelOf, sourceOf } from './onnxModels.ts';

/** onnx.proto of onnx 1.23.1, with the fields that a reader could meet. */
const ModelProto = protobuf
  .parse(
    `
  syntax = "proto2";
  message AttributeProto {
    optional string name = 1; optional float f = 2; optional int64 i = 3; optional bytes s = 4; repeated float floats = 7; repeated int64 ints = 8;
    optional int32 type = 20;
  }
  message NodeProto {
    repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4;
    repeated AttributeProto attribute = 5; optional string doc_string = 6; optional string domain = 7;
  }
  message StringStringEntryProto { optional string key = 1; optional string value = 2; }
  message TensorProto {
    repeated int64 dims = 1; optional int32 data_type = 2; repeated float float_data = 4 [packed = true]; optional string name = 8;
    optional bytes raw_data = 9; repeated StringStringEntryProto external_data = 13; optional int32 data_location = 14;
  }
  message Dimension { optional int64 dim_value = 1; optional string dim_param = 2; }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message Tensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
  message TypeProto { optional Tensor tensor_type = 1; }
  message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
  message GraphProto {
    repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5; optional string doc_string = 10;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; repeated TensorProto sparse = 15;
  }
  message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
  message ModelProto {
    optional int64 ir_version = 1; optional string producer_name = 2; optional GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8;
    repeated StringStringEntryProto metadata_props = 14; repeated GraphProto functions = 25;
  }`,
    { keepCase: true },
  )
  .root.lookupType('ModelProto');

interface Attribute {
  name: string;
  type: number;
  i?: number;
}
interface Initializer {
  dims: number[];
  data_type: number;
  name: string;
  raw_data?: Uint8Array;
  float_data?: number[];
  external_data?: { key: string; value: string }[];
  data_location?: number;
}
interface Model {
  ir_version: number;
  producer_name: string;
  graph: {
    name: string;
    node: { name: string; input: string[]; op_type: string; domain?: string; attribute: Attribute[] }[];
    initializer: Initializer[];
    input: { type: { tensor_type: { elem_type: number; shape: { dim: { dim_value?: number; dim_param?: string }[] } } } }[];
    sparse?: object[];
  };
  opset_import: { version: number; domain?: string }[];
  metadata_props: { key: string; value: string }[];
  functions?: object[];
}

const source = sourceOf(modelOf('plain', { imageSize: 8, embedDim: 8, depth: 1, numHeads: 2, numClasses: 3, inChannels: 1 }));
const wide = sourceOf(modelOf('plain', { imageSize: 8, embedDim: 32, depth: 1, numClasses: 3 }));

async function folderOf(from = source, externalAbove = 1e9): Promise<{ folder: string; file: string }> {
  const folder = temporaryFolder();
  await writeOnnx(folder, from, { externalAbove });
  return { folder, file: path.join(folder, 'model.onnx') };
}

const decode = (file: string): Model => {
  const message = ModelProto.decode(readFileSync(file));
  return ModelProto.toObject(message, { longs: Number }) as Model;
};
const encode = (file: string, model: object): void => writeFileSync(file, ModelProto.encode(ModelProto.fromObject(model)).finish());

test('the bytes are those of a canonical writer', async () => {
  const { file } = await folderOf(wide, 0);
  const before = readFileSync(file);
  const model = decode(file);
  expect(model).toMatchObject({ ir_version: 8, producer_name: 'prelora', opset_import: [{ version: 17 }] });
  expect(model.metadata_props.map(({ key }) => key)).toEqual(['prelora.classes', 'prelora.preprocessing', 'prelora.run']);
  encode(file, model);
  expect(readFileSync(file)).toEqual(before);
});

test('weights read back to the bit, from inside and outside', async () => {
  for (const externalAbove of [0, 1e9]) {
    const { initializers } = await readOnnx((await folderOf(wide, externalAbove)).file);
    for (const [name, { data }] of wide.tensors) {
      if (name !== 'patchEmbed.weight') expect(await readOnnxTensor(initializers.get(name)!), name).toEqual(data);
    }
  }
});

const constant = ({ graph }: Model, wanted: string): Initializer => graph.initializer.find(({ name }) => name === wanted)!;
const first = (model: Model): Initializer => constant(model, 'clsToken');
const node = ({ graph }: Model, op: string) => graph.node.find(({ op_type: type }) => type === op)!;

describe('refused is', () => {
  test.each<[string, (model: Model) => void, string]>([
    ['a shape that is not the values', (m) => first(m).dims.push(2), 'clsToken: shape [1,1,8,2] of float32 takes 64 bytes, it has 32'],
    ['a negative side', (m) => (first(m).dims = [-1, -1, 8]), 'clsToken: shape is not a list of whole numbers from 0'],
    ['a shape past 2^53', (m) => (first(m).dims = [2 ** 40, 2 ** 40]), 'clsToken: shape is not a list of whole numbers from 0'],
    ['another type', (m) => (first(m).data_type = 10), 'clsToken: has data type 10'],
    ['a name twice', (m) => m.graph.initializer.push(first(m)), 'clsToken: is there a second time'],
    ['no values', (m) => delete first(m).raw_data, 'clsToken: has its values neither inside alone nor outside alone'],
    ['values of another field', (m) => (first(m).float_data = [1]), 'field 4 is none that this program writes'],
    ['sparse weights', (m) => (m.graph.sparse = [{}]), 'graph: field 15 is none that this program writes'],
    ['functions', (m) => (m.functions = [{}]), 'model: field 25 is none that this program writes'],
    ['operators of another domain', (m) => (node(m, 'Erf').domain = 'x'), 'field 7 is none that this program writes'],
    ['an opset of another domain', (m) => (m.opset_import[0]!.domain = 'x'), 'field 8 is not the version of the standard operators alone'],
    ['an attribute of another type', (m) => (node(m, 'Softmax').attribute[0]!.type = 3), 'is an attribute of type 3'],
    ['a key twice', (m) => m.metadata_props.push(m.metadata_props[0]!), 'names prelora.classes a second time'],
    ['an input of another type', (m) => (m.graph.input[0]!.type.tensor_type.elem_type = 10), 'is not a float32 tensor with a shape'],
    ['an input with a side of neither kind', (m) => (m.graph.input[0]!.type.tensor_type.shape.dim[0] = {}), 'is neither a size nor a name'],
  ])('%s', async (_, change, message) => {
    const { file } = await folderOf();
    const model = decode(file);
    change(model);
    encode(file, model);
    await expect(readOnnx(file)).rejects.toThrow(message);
  });

  const outside =
    (changes: Record<string, string>, which = 0) =>
    (model: Model) => {
      const weight = model.graph.initializer.filter(({ external_data: entries }) => entries?.length)[which];
      weight!.external_data = weight!.external_data!.map(({ key, value }) => ({ key, value: changes[key] ?? value }));
    };

  test.each<[string, (model: Model) => void, string]>([
    [
      'a folder above',
      outside({ location: '../model.onnx.data' }),
      'patchEmbed.weight: lies in "../model.onnx.data", which is not a plain file name',
    ],
    ['a root', outside({ location: '/etc/passwd' }), 'lies in "/etc/passwd", which is not a plain file name'],
    ['no file', outside({ location: 'other' }), 'lies in other, which is not there'],
    ['the folder itself', outside({ location: '..' }), 'lies in "..", which is not a plain file name'],
    ['no number', outside({ offset: '-4096' }), 'offset is "-4096", not a number of bytes'],
    ['an odd place', outside({ offset: '4' }), 'begins at 4, which is no multiple of 4096'],
    ['past the end', outside({ offset: '40960000' }), 'model.onnx.data has '],
    ['the end of another', outside({ offset: '4096' }, 1), 'begins inside patchEmbed.weight'],
    ['another', outside({ offset: '12288' }), 'begins inside '],
    ['less than its shape', outside({ length: '4' }), 'patchEmbed.weight: shape [32,3,4,4] of float32 takes 6144 bytes, it has 4'],
    ['values inside too', (m) => (m.graph.initializer[0]!.raw_data = new Uint8Array(4)), 'neither inside alone nor outside alone'],
    ['a location that is no longer said', (m) => (m.graph.initializer[0]!.data_location = 0), 'neither inside alone nor outside alone'],
  ])('a tensor outside that lies in: %s', async (_, change, message) => {
    const { file } = await folderOf(wide, 0);
    const model = decode(file);
    change(model);
    encode(file, model);
    await expect(readOnnx(file)).rejects.toThrow(message);
  });
});

test('a data file that lacks its last byte is refused', async () => {
  const { folder, file } = await folderOf(wide, 0);
  const data = path.join(folder, 'model.onnx.data');
  const { length } = readFileSync(data);
  truncateSync(data, length - 1);
  await expect(readOnnx(file)).rejects.toThrow(`ends at ${length}, model.onnx.data has ${length - 1} bytes`);
});

test.each<[string, (model: Model) => void, string]>([
  ['producer', (m) => (m.producer_name = 'other'), 'producer: is ["other","prelora"], the model has ["prelora","prelora"]'],
  ['graph name', (m) => (m.graph.name = 'other'), 'producer: is ["prelora","other"], the model has ["prelora","prelora"]'],
  ['wiring', (m) => node(m, 'Softmax').input.splice(0, 1, 'tokens'), 'node 23: is ["blocks.0.attn.weights","Softmax",["tokens"]'],
  ['axis', (m) => (node(m, 'Softmax').attribute[0]!.i = 1), 'softmax: is [{"axis":1}], the model has [{"axis":-1}]'],
  [
    'constant',
    (m) => (constant(m, 'const.half').raw_data = Buffer.from('0000803f', 'hex')),
    'attention scale: is [[0.5],[1]], the model has [[0.5]]',
  ],
])('another %s fails V3', async (_, change, fault) => {
  const { folder, file } = await folderOf();
  const model = decode(file);
  change(model);
  encode(file, model);
  expect((await checkOnnx(folder, source)).map(({ status }) => status)).toEqual(['passed', 'passed', 'failed']);
  expect((await checkOnnx(folder, source))[2]?.detail).toContain(fault);
});

test('a file cut anywhere is refused or fails the checks', async () => {
  const { folder, file } = await folderOf();
  const whole = readFileSync(file);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: whole.length - 1 }), async (length) => {
      writeFileSync(file, whole.subarray(0, length));
      expect(await isAccepted(folder)).toBe(false);
    }),
  );
});

test('a file with any byte changed is refused or fails the checks', async () => {
  const { folder, file } = await folderOf();
  const whole = readFileSync(file);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(whole);
      changed[at]! ^= change;
      writeFileSync(file, changed);
      expect(await isAccepted(folder)).toBe(false);
    }),
    { numRuns: 400 },
  );
});

test('any other bytes are read as a model or refused', async () => {
  const file = path.join(temporaryFolder(), 'model.onnx');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      writeFileSync(file, bytes);
      await readOnnx(file).catch((error: unknown) => {
        expect(error).toBeInstanceOf(PreloraError);
        expect((error as PreloraError).code).toBe('unsafe-tensors');
      });
    }),
    { numRuns: 500 },
  );
});

async function isAccepted(folder: string): Promise<boolean> {
  return (await checkOnnx(folder, source)).every(({ status }) => status === 'passed');
}

test('a length of two gigabytes in a small file allocates nothing', async () => {
  const file = path.join(temporaryFolder(), 'model.onnx');
  writeFileSync(file, Buffer.from('3affffffff07', 'hex'));
  const before = process.memoryUsage().rss;
  await expect(readOnnx(file)).rejects.toThrow('model: field 7 has 2147483647 bytes, 0 are left');
  expect(process.memoryUsage().rss - before).toBeLessThan(1e8);
});

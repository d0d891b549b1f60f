/** The bytes of a SavedModel, read back with protobufjs's own reader from TensorFlow's field numbers, written down here a second time. */
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { Graph, outputOf } from '../../main/compile/graph.ts';
import { writeSavedModel } from '../../main/compile/graphWriter.ts';

const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message Shape { message Dim { int64 size = 1; } repeated Dim dim = 2; }
  message TensorProto { int32 dtype = 1; Shape tensor_shape = 2; bytes tensor_content = 4; }
  message AttrValue {
    message ListValue { repeated bytes s = 2; repeated int64 i = 3; }
    oneof value { ListValue list = 1; bytes s = 2; int64 i = 3; float f = 4; bool b = 5; int32 type = 6; Shape shape = 7; TensorProto tensor = 8; }
  }
  message NodeDef { string name = 1; string op = 2; repeated string input = 3; string device = 4; map<string, AttrValue> attr = 5; }
  message VersionDef { int32 producer = 1; }
  message GraphDef { repeated NodeDef node = 1; VersionDef versions = 4; }
  message MetaInfo { repeated string tags = 4; }
  message MetaGraphDef { MetaInfo meta_info_def = 1; GraphDef graph_def = 2; }
  message SavedModel { int64 saved_model_schema_version = 1; repeated MetaGraphDef meta_graphs = 2; }
`,
  { keepCase: true },
);

function read(bytes: Uint8Array) {
  const type = root.lookupType('SavedModel');
  return type.toObject(type.decode(bytes), { longs: Number, bytes: String, defaults: false });
}

test('a written graph reads back: names, ops, inputs, control edges, attributes of every kind', () => {
  const graph = new Graph();
  const constant = graph.constant({ shape: [2, 1], dtype: 'int32' }, Int32Array.of(-1, 258), 'c');
  const first = graph.append({
    op: 'First',
    inputs: [constant],
    attrs: { flag: { b: false }, text: { s: 'é' }, count: { i: -3 }, part: { f: 0.5 } },
  });
  const second = graph.append({
    op: 'Second',
    inputs: [outputOf(first, 2)],
    controls: [constant.node],
    attrs: { dtype: { type: 1 }, shape: { shape: [3, 4] }, scalar: { shape: [] }, list: { list: { i: [1, -2] } } },
    name: 'f/a b',
  });
  const { saved_model_schema_version: version, meta_graphs: metaGraphs } = read(writeSavedModel([...graph.nodes]));
  expect(version).toBe(1);
  expect(metaGraphs[0].meta_info_def.tags).toEqual(['serve']);
  expect(metaGraphs[0].graph_def.versions.producer).toBe(1882);
  const [c, one, two] = metaGraphs[0].graph_def.node;
  expect(c.attr.value.tensor).toEqual({ dtype: 3, tensor_shape: { dim: [{ size: 2 }, { size: 1 }] }, tensor_content: '/////wIBAAA=' });
  expect(one).toMatchObject({ name: 'First', op: 'First', input: ['c:0'] });
  expect(one.attr).toEqual({ flag: { b: false }, text: { s: 'w6k=' }, count: { i: -3 }, part: { f: 0.5 } });
  expect(two).toMatchObject({ name: 'f/a_b', input: ['First:2', '^c'] });
  expect(two.attr).toEqual({
    dtype: { type: 1 },
    shape: { shape: { dim: [{ size: 3 }, { size: 4 }] } },
    scalar: { shape: {} },
    list: { list: { i: [1, -2] } },
  });
  expect(second.name).toBe('f/a_b');
});

test('nodes of one wish get names of their own', () => {
  const graph = new Graph();
  const names = ['x', 'x', 'x.1', '', '///'].map((name) => graph.append({ op: 'Op', name }).name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9.][A-Za-z0-9_.\\/-]*$/);
});

/**
 * A tfjs backend that appends graph nodes in place of computing. It runs tfjs-node's own kernel configs (registered a second time under this
 * backend's name): they turn a tfjs kernel into TensorFlow ops with attributes, and call back here as they would call NodeJSKernelBackend
 * (tfjs-node-gpu/src/nodejs_kernel_backend.ts, 4.22). Tensors have shape and dtype but no values, so a trace costs no activation memory.
 */
import type { BackendValues, DataType, KernelConfig, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { hasKernels } from '../engine/kernels.ts';
import type { KernelAttributes, OwnKernels } from '../engine/ownKernels.ts';
import { tf } from '../engine/tf.ts';
import { type AttrValue, Graph, type GraphOutput, type NewNode, outputOf, specOf } from './graph.ts';
import { type HostArray, type TensorDtype, type TensorSpec, UncompilableError } from './program.ts';
import { type AttrScalar, inferOutputs, type OpInput } from './shapeRules.ts';
import { simplify } from './simplify.ts';

export const SYMBOLIC = 'symbolic';
const NATIVE = 'tensorflow';

/** tfjs ops that fill a tensor with random values on the host: they would become constants of the graph. */
const RANDOM_OPS = new Set(
  ['rand', 'randomGamma', 'randomNormal', 'randomStandardNormal', 'randomUniform', 'randomUniformInt', 'truncatedNormal', 'dropout'].map(
    (name) => name + tf.OP_SCOPE_SUFFIX,
  ),
);
/** TensorFlow ops with a random result. */
const RANDOM_KERNELS = new Set(['Multinomial', 'StatelessMultinomial', 'RandomUniform', 'RandomStandardNormal', 'TruncatedNormal']);

/** Constants above this many bytes would be kept twice by TensorFlow and make the graph heavy. */
const MAX_CONSTANT_BYTES = 1 << 20;

/** An attribute as tfjs-node's kernels write it; `type` is a TF_AttrType of tensorflow/c/tf_attrtype.h. */
interface KernelAttr {
  readonly name: string;
  readonly type: number;
  readonly value: AttrScalar;
}

/** What stands behind a tensor: a node's result, a constant that is not in the graph yet, or both. */
interface Symbol {
  readonly spec: TensorSpec;
  output?: GraphOutput;
  readonly constant?: HostArray;
  references: number;
}

type NativeConstants = Readonly<Record<string, number>>;

/** Ready to be set as tfjs's backend; `begin` says which graph it appends to. */
export class SymbolicBackend extends tf.KernelBackend implements OwnKernels {
  /** tfjs-node's kernels read TensorFlow's enum values from here. */
  readonly binding: NativeConstants;
  readonly isGPUPackage = false;
  /** Fixed when a trace begins. */
  hasOwnKernels = false;
  readonly #symbols = new Map<object, Symbol>();
  #graph = new Graph();
  #prefix = '';
  #constants = new Map<string, GraphOutput>();

  constructor(binding: NativeConstants) {
    super();
    this.binding = binding;
  }

  /** What comes next goes into `graph`, under names that start with `prefix`. */
  begin(graph: Graph, prefix: string): void {
    this.#graph = graph;
    this.#prefix = prefix;
    this.#constants = new Map();
    this.hasOwnKernels = hasKernels();
  }

  /** A tensor that stands for a result that is already in the graph. */
  createTensor(output: GraphOutput): Tensor {
    return this.#register({ spec: specOf(output), output, references: 1 });
  }

  /** The node behind a tensor of this trace; a constant is written into the graph now. Throws an UncompilableError for a tensor from outside. */
  outputFor(tensor: TensorInfo): GraphOutput {
    const symbol = this.#symbolOf(tensor);
    symbol.output ??= this.#appendConstant(symbol.spec, symbol.constant as HostArray);
    return symbol.output;
  }

  executeSingleInput(op: string, input: TensorInfo): Tensor {
    return this.executeSingleOutput(op, [{ name: 'T', type: 4, value: this.getDTypeInteger(input.dtype) }], [input]);
  }

  executeSingleOutput(op: string, attrs: readonly KernelAttr[], inputs: readonly TensorInfo[]): Tensor {
    return this.executeMultipleOutputs(op, attrs, inputs, 1)[0] as Tensor;
  }

  executeMultipleOutputs(op: string, attrs: readonly KernelAttr[], inputs: readonly TensorInfo[], count: number): Tensor[] {
    if (RANDOM_KERNELS.has(op)) throw bakedRandomness(op);
    const described: OpInput[] = inputs.map((tensor) => ({ ...this.#symbolOf(tensor).spec, constant: this.#symbolOf(tensor).constant }));
    const outputs = inferOutputs({ op, inputs: described, attrs: Object.fromEntries(attrs.map(({ name, value }) => [name, value])) });
    if (outputs.length !== count) throw new UncompilableError(`${op} gives ${outputs.length} results where tfjs expects ${count}`);
    const wanted: NewNode = {
      op,
      inputs: inputs.map((tensor) => this.outputFor(tensor)),
      attrs: { ...missingAttrs(op, described), ...Object.fromEntries(attrs.map((attr) => [attr.name, encodeAttr(attr)])) },
      outputs,
      name: this.#prefix + op,
    };
    return this.#append(simplify(wanted, this.#graph, this.hasOwnKernels));
  }

  runOwnKernel(name: string, inputs: readonly TensorInfo[], attributes: KernelAttributes = {}): Tensor[] {
    const op = `Prelora${name}`;
    const attrs = Object.fromEntries(Object.entries(attributes).map(([attr, value]) => [attr, Object.values(value)[0] as AttrScalar]));
    const outputs = inferOutputs({ op, inputs: inputs.map((tensor) => this.#symbolOf(tensor).spec), attrs });
    return this.#append({
      op,
      inputs: inputs.map((tensor) => this.outputFor(tensor)),
      attrs: attributes,
      outputs,
      name: this.#prefix + op,
    });
  }

  #append(wanted: NewNode): Tensor[] {
    const node = this.#graph.append(wanted);
    return node.outputs.map((_, index) => this.createTensor(outputOf(node, index)));
  }

  createReductionOpAttrs(tensor: TensorInfo, keepDims = false): KernelAttr[] {
    return [
      { name: 'keep_dims', type: 3, value: keepDims },
      { name: 'T', type: 4, value: this.getDTypeInteger(tensor.dtype) },
      { name: 'Tidx', type: 4, value: this.getDTypeInteger('int32') },
    ];
  }

  getDTypeInteger(dtype: DataType): number {
    const integer = { float32: this.binding.TF_FLOAT, int32: this.binding.TF_INT32, bool: this.binding.TF_BOOL }[dtype as TensorDtype];
    if (integer === undefined) throw new UncompilableError(`a tensor of type ${dtype} cannot be part of a graph`);
    return integer;
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): object {
    const random = tf.engine().state.scopeStack.find(({ name }) => RANDOM_OPS.has(name));
    if (random) throw bakedRandomness(random.name.slice(0, -tf.OP_SCOPE_SUFFIX.length));
    this.getDTypeInteger(dtype);
    const dataId = {};
    const spec = { shape: [...shape], dtype: dtype as TensorDtype };
    this.#symbols.set(dataId, { spec, constant: values as HostArray, references: 1 });
    return dataId;
  }

  override move(): void {
    throw new UncompilableError('a tensor from outside the function was used in it');
  }

  /** Constants may be read, computed values not: there are none yet. */
  override readSync(dataId: object): BackendValues {
    const constant = this.#symbols.get(dataId)?.constant;
    if (constant) return constant;
    throw new UncompilableError('the function reads the values of a tensor (dataSync, arraySync); while it is traced there are none');
  }

  override read(dataId: object): Promise<BackendValues> {
    return Promise.resolve(this.readSync(dataId));
  }

  override disposeData(dataId: object, force = false): boolean {
    const symbol = this.#symbols.get(dataId);
    if (!symbol) return true;
    symbol.references--;
    if (!force && symbol.references > 0) return false;
    return this.#symbols.delete(dataId);
  }

  override refCount(dataId: object): number {
    return this.#symbols.get(dataId)?.references ?? 0;
  }

  override incRef(dataId: object): void {
    this.#symbolOf({ dataId, shape: [], dtype: 'float32' }).references++;
  }

  override numDataIds(): number {
    return this.#symbols.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override dispose(): void {
    this.#symbols.clear();
  }

  #register(symbol: Symbol): Tensor {
    const dataId = {};
    this.#symbols.set(dataId, symbol);
    return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...symbol.spec.shape], dtype: symbol.spec.dtype }, this);
  }

  #symbolOf(tensor: TensorInfo): Symbol {
    const symbol = this.#symbols.get(tensor.dataId);
    if (symbol) return symbol;
    if ((tensor as Tensor).isDisposed) {
      throw new Error(
        'the function uses a tensor that is disposed: the backward pass of tf.customGrad may use only what its forward pass saved',
      );
    }
    const shape = tensor.shape.join(',');
    throw new UncompilableError(
      `the function uses a tensor ${tensor.dtype}[${shape}] from outside: make it an input or a variable, or build it inside from plain numbers`,
    );
  }

  /** Equal constants share a node; a large one of equal values is a Fill, which takes no room in the graph. */
  #appendConstant(spec: TensorSpec, value: HostArray): GraphOutput {
    const isUniform = value.length > 16 && value.every((entry) => entry === value[0]);
    if (!isUniform && value.byteLength > MAX_CONSTANT_BYTES) {
      const size = `${value.byteLength} bytes, over ${MAX_CONSTANT_BYTES}`;
      throw new UncompilableError(
        `a constant ${spec.dtype}[${spec.shape}] of ${size}, would be part of the graph: make it an input or a variable`,
      );
    }
    const key = `${spec.dtype}[${spec.shape}]${isUniform ? `all ${Object.is(value[0], -0) ? '-0' : value[0]}` : bytesOf(value).toString('latin1')}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const output = isUniform ? this.#appendFill(spec, value.slice(0, 1)) : this.#graph.constant(spec, value, `${this.#prefix}Const`);
    this.#constants.set(key, output);
    return output;
  }

  #appendFill(spec: TensorSpec, value: HostArray): GraphOutput {
    const dims = this.#appendConstant({ shape: [spec.shape.length], dtype: 'int32' }, Int32Array.from(spec.shape));
    const inputs = [dims, this.#appendConstant({ shape: [], dtype: spec.dtype }, value)];
    const attrs = { T: { type: this.getDTypeInteger(spec.dtype) }, index_type: { type: this.getDTypeInteger('int32') } };
    return outputOf(this.#graph.append({ op: 'Fill', inputs, attrs, outputs: [spec], name: `${this.#prefix}Fill` }));
  }
}

function bytesOf(value: HostArray): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function bakedRandomness(op: string): UncompilableError {
  return new UncompilableError(
    `baked randomness: ${op} inside the function would give the same numbers in every call; make its result an input`,
  );
}

function encodeAttr({ name, type, value }: KernelAttr): AttrValue {
  if (Array.isArray(value)) return { list: { i: value as readonly number[] } };
  if (type === 0) return { s: String(value) };
  if (type === 1) return { i: Number(value) };
  if (type === 2) return { f: Number(value) };
  if (type === 3) return { b: Boolean(value) };
  if (type === 4) return { type: Number(value) };
  throw new UncompilableError(`attribute ${name} has the unknown kind ${type}`);
}

/** Type attributes that eager execution infers and a graph must state. */
function missingAttrs(op: string, inputs: readonly OpInput[]): Record<string, AttrValue> {
  return op === 'ExpandDims' ? { T: { type: { float32: 1, int32: 3, bool: 10 }[(inputs[0] as OpInput).dtype] }, Tdim: { type: 3 } } : {};
}

/** Registers tfjs-node's kernels for the symbolic backend, once per process. The `tensorflow` backend must be registered. */
export function registerSymbolicBackend(binding: NativeConstants): SymbolicBackend {
  const existing = tf.engine().findBackendFactory(SYMBOLIC) ? tf.findBackend(SYMBOLIC) : null;
  if (existing) return existing as SymbolicBackend;
  for (const config of tf.getKernelsForBackend(NATIVE)) {
    tf.registerKernel({ ...config, backendName: SYMBOLIC, ...(OVERRIDES[config.kernelName] ?? {}) });
  }
  // Priority −1: never chosen by itself.
  tf.registerBackend(SYMBOLIC, () => new SymbolicBackend(binding), -1);
  return tf.findBackend(SYMBOLIC) as SymbolicBackend;
}

/** Kernels of tfjs-node that look at values: GatherV2 checks its indices on the host; TensorFlow checks them again when it runs. */
const OVERRIDES: Readonly<Record<string, Pick<KernelConfig, 'kernelFunc'>>> = {
  GatherV2: {
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, indices } = inputs as { x: TensorInfo; indices: TensorInfo };
      const { axis, batchDims } = attrs as unknown as { axis: number; batchDims: number };
      const symbolic = backend as SymbolicBackend;
      const type = (name: string, dtype: DataType) => ({ name, type: 4, value: symbolic.getDTypeInteger(dtype) });
      return symbolic.executeSingleOutput(
        'GatherV2',
        [
          { name: 'batch_dims', type: 1, value: batchDims },
          type('Tparams', x.dtype),
          type('Tindices', indices.dtype),
          type('Taxis', 'int32'),
        ],
        [x, indices, tf.scalar(axis, 'int32')],
      );
    },
  },
};

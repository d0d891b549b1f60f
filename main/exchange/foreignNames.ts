/**
 * Where each of our parameters lies in other people's files: name, shape and orientation (formats.md section 1). Every 2-D weight is
 * [in, out] with us and [out, in] in torch's formats; timm stacks q, k and v. Hugging Face's names are without the `vit.` in front.
 */
import type { Shape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';

/** Hugging Face before and since transformers 5.9; timm. */
export type Vocabulary = 'classic' | 'renamed' | 'timm';
export type HfVocabulary = Exclude<Vocabulary, 'timm'>;

export interface ForeignPlace {
  name: string;
  /** The shape there. */
  shape: Shape;
  turn: 'none' | 'transpose' | 'patch';
  /** Which third of the rows, where q, k and v are stacked. */
  third: 0 | 1 | 2 | null;
}

const BLOCK: Record<Vocabulary, (layer: string) => Record<string, string>> = {
  classic: (layer) => {
    const block = `encoder.layer.${layer}`;
    return {
      norm1: `${block}.layernorm_before`,
      norm2: `${block}.layernorm_after`,
      'attn.q': `${block}.attention.attention.query`,
      'attn.k': `${block}.attention.attention.key`,
      'attn.v': `${block}.attention.attention.value`,
      'attn.proj': `${block}.attention.output.dense`,
      'mlp.fc1': `${block}.intermediate.dense`,
      'mlp.fc2': `${block}.output.dense`,
    };
  },
  renamed: (layer) => {
    const block = `layers.${layer}`;
    return {
      norm1: `${block}.layernorm_before`,
      norm2: `${block}.layernorm_after`,
      'attn.q': `${block}.attention.q_proj`,
      'attn.k': `${block}.attention.k_proj`,
      'attn.v': `${block}.attention.v_proj`,
      'attn.proj': `${block}.attention.o_proj`,
      'mlp.fc1': `${block}.mlp.fc1`,
      'mlp.fc2': `${block}.mlp.fc2`,
    };
  },
  timm: (layer) => {
    const qkv = `blocks.${layer}.attn.qkv`;
    const same = (part: string): [string, string] => [part, `blocks.${layer}.${part}`];
    return {
      ...Object.fromEntries(['norm1', 'norm2', 'attn.proj', 'mlp.fc1', 'mlp.fc2'].map(same)),
      'attn.q': qkv,
      'attn.k': qkv,
      'attn.v': qkv,
    };
  },
};

const HUGGING_FACE = {
  clsToken: 'embeddings.cls_token',
  posEmbed: 'embeddings.position_embeddings',
  patchEmbed: 'embeddings.patch_embeddings.projection',
  norm: 'layernorm',
  head: 'classifier',
};
const OUTSIDE: Record<Vocabulary, Record<string, string>> = {
  classic: HUGGING_FACE,
  renamed: HUGGING_FACE,
  timm: { clsToken: 'cls_token', posEmbed: 'pos_embed', patchEmbed: 'patch_embed.proj', norm: 'norm', head: 'head' },
};

/** The place of a parameter of ours (`blocks.0.attn.q.weight`, of `shape`) in files of this vocabulary. */
export function foreignPlace(path: string, shape: Shape, model: ModelShape, vocabulary: Vocabulary): ForeignPlace {
  if (path === 'clsToken' || path === 'posEmbed') {
    return { name: OUTSIDE[vocabulary][path] as string, shape, turn: 'none', third: null };
  }
  const [, module, kind] = /^(.*)\.(weight|bias)$/.exec(path) as unknown as [string, string, 'weight' | 'bias'];
  const [, layer, part] = /^blocks\.(\d+)\.(.*)$/.exec(module) ?? [];
  const names = layer === undefined ? OUTSIDE[vocabulary] : BLOCK[vocabulary](layer);
  const name = `${names[part ?? module]}.${kind}`;
  const third = vocabulary === 'timm' ? thirdOf(part) : null;
  const rows = third === null ? 1 : 3;
  if (module === 'patchEmbed' && kind === 'weight') {
    const { embedDim, inChannels, patchSize } = model;
    return { name, shape: [embedDim, inChannels, patchSize, patchSize], turn: 'patch', third: null };
  }
  if (shape.length === 1) return { name, shape: [rows * (shape[0] as number)], turn: 'none', third };
  return { name, shape: [rows * (shape[1] as number), shape[0] as number], turn: 'transpose', third };
}

function thirdOf(part: string | undefined): ForeignPlace['third'] {
  const index = ['attn.q', 'attn.k', 'attn.v'].indexOf(part ?? '');
  return index < 0 ? null : (index as 0 | 1 | 2);
}

/** Values as they lie there, in our orientation. */
export function toNative(values: Float32Array, { turn, third, shape }: ForeignPlace, model: ModelShape): Float32Array {
  const size = values.length / 3;
  const own = third === null ? values : values.subarray(third * size, (third + 1) * size);
  if (turn === 'patch') return patchToNative(own, model);
  if (turn === 'none') return own.slice();
  const inputs = shape[1] as number;
  return transpose(own, own.length / inputs, inputs);
}

/** Values of one parameter of ours as they lie there; where q, k and v are stacked, its third of the rows. */
export function toForeign(values: Float32Array, { turn, third, shape }: ForeignPlace, model: ModelShape): Float32Array {
  if (turn === 'patch') return patchToForeign(values, model);
  if (turn === 'none') return values;
  const outputs = (shape[0] as number) / (third === null ? 1 : 3);
  return transpose(values, values.length / outputs, outputs);
}

export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column] as number;
  }
  return turned;
}

function patchToNative(kernel: Float32Array, model: ModelShape): Float32Array {
  const native = new Float32Array(kernel.length);
  let at = 0;
  for (const from of patchOrder(model)) native[from] = kernel[at++] as number;
  return native;
}

function patchToForeign(native: Float32Array, model: ModelShape): Float32Array {
  const kernel = new Float32Array(native.length);
  let at = 0;
  for (const from of patchOrder(model)) kernel[at++] = native[from] as number;
  return kernel;
}

/** Where our values lie, in the order of the kernel: conv[d][k][y][x] is our row (y·P + x)·K + k, column d. */
function* patchOrder({ embedDim, inChannels, patchSize }: ModelShape): Generator<number> {
  for (let d = 0; d < embedDim; d++) {
    for (let k = 0; k < inChannels; k++) {
      for (let pixel = 0; pixel < patchSize ** 2; pixel++) yield (pixel * inChannels + k) * embedDim + d;
    }
  }
}

/** Which vocabulary these names are of, or null when they are of no ViT that we know. */
export function vocabularyOf(names: Iterable<string>): Vocabulary | null {
  const all = [...names];
  if (all.includes('patch_embed.proj.weight')) return 'timm';
  if (!all.includes('embeddings.patch_embeddings.projection.weight')) return null;
  return all.some((name) => name.startsWith('layers.')) ? 'renamed' : 'classic';
}

/** Sizes that shapes alone tell, and the fields of the config they belong to. */
export function sizesFromShapes(shapes: ReadonlyMap<string, Shape>, vocabulary: Vocabulary): ShapeSizes {
  const of = (name: string): Shape => shapes.get(name) ?? [];
  const outside = OUTSIDE[vocabulary];
  const [embedDim = 0, inChannels = 0, patchSize = 0] = of(`${outside.patchEmbed}.weight`);
  const first = BLOCK[vocabulary]('0');
  const tokens = of(outside.posEmbed as string)[1] ?? 1;
  let depth = 0;
  while (shapes.has(`${BLOCK[vocabulary](String(depth)).norm1}.weight`)) depth++;
  const hidden = of(`${first['mlp.fc1']}.weight`)[0] ?? 0;
  return {
    imageSize: Math.round(Math.sqrt(tokens - 1)) * patchSize,
    patchSize,
    inChannels,
    embedDim,
    depth,
    mlpRatio: embedDim === 0 ? 0 : hidden / embedDim,
    qkvBias: shapes.has(`${first['attn.q']}.bias`),
    numClasses: of(`${outside.head}.weight`)[0] ?? null,
  };
}

export interface ShapeSizes
  extends Pick<ModelShape, 'imageSize' | 'patchSize' | 'inChannels' | 'embedDim' | 'depth' | 'mlpRatio' | 'qkvBias'> {
  /** Null for a model without a head. */
  numClasses: number | null;
}

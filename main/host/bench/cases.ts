/** What is benchmarked: the five cases of benchmarks.md section 1, as configs a run could have, and the neighbours of the scaling table. */
import { allModules } from '../../core/modules.ts';
import { parseConfig, resolveWithData } from '../../core/resolveConfig.ts';
import type { ModelShape, ResolvedConfig } from '../../protocol/config.ts';
import { PreloraError } from '../../protocol/reply.ts';
import type { Phase } from '../../protocol/run.ts';
import type { MeasuredSetup } from '../phaseOnNoise.ts';

/** Rank of every adapter in the LoRA phase, on all six families. */
const BENCH_RANK = 8;

type Geometry = Pick<ModelShape, 'embedDim' | 'depth' | 'numHeads' | 'imageSize' | 'patchSize' | 'numClasses'>;

export interface BenchCase {
  name: string;
  shape: Geometry;
  batch: number;
}

const small = { imageSize: 32, patchSize: 4, numClasses: 10 };
const photo = { imageSize: 224, patchSize: 16, numClasses: 10 };

export const CASES: readonly BenchCase[] = [
  { name: 'ti65', shape: { ...small, embedDim: 192, depth: 12, numHeads: 3 }, batch: 32 },
  { name: 's65', shape: { ...small, embedDim: 384, depth: 6, numHeads: 6 }, batch: 32 },
  { name: 'ti197', shape: { ...photo, embedDim: 192, depth: 12, numHeads: 3 }, batch: 8 },
  { name: 'b197', shape: { ...photo, embedDim: 768, depth: 12, numHeads: 12 }, batch: 2 },
  { name: 'l197', shape: { ...photo, embedDim: 1024, depth: 24, numHeads: 16, numClasses: 1000 }, batch: 1 },
];

/** The cases of these names in the table's order; all without names. Throws `bad-arguments`. */
export function casesNamed(names: readonly string[] | null): BenchCase[] {
  for (const name of names ?? []) {
    if (CASES.some((known) => known.name === name)) continue;
    throw new PreloraError('bad-arguments', `--cases ${name}: must be among ${CASES.map(({ name }) => name).join(', ')}`, 'cases');
  }
  return CASES.filter(({ name }) => names === null || names.includes(name));
}

export interface CaseOptions {
  phase: Phase;
  threads: number;
  backend?: 'tensorflow' | 'wasm';
  compiled?: boolean;
  /** Keeps the weights of the last snapshot, as a run does that measures distances; PyTorch's side keeps none. */
  tracksDisplacement?: boolean;
}

/** One phase of a case, ready to be opened by either side. */
export function setupOf({ shape, batch }: BenchCase, options: CaseOptions): MeasuredSetup {
  const { phase, threads, backend = 'tensorflow', compiled = true, tracksDisplacement = false } = options;
  const config: ResolvedConfig = resolveWithData(
    parseConfig({
      model: { size: 'custom', inChannels: 3, ...shape },
      train: { batchSize: batch, epochs: 100, weightDecay: 0.05, gradClip: 1 },
      prelora: { trackDisplacement: tracksDisplacement, alphaMode: '2r' },
      engine: { backend, compiled, threads },
    }),
    { trainCount: 1000 * batch, channels: 3, numClasses: shape.numClasses, mean: [0.5], std: [0.5] },
  );
  const ranks = phase === 'full' ? {} : Object.fromEntries(allModules(shape.depth).map((module) => [module, BENCH_RANK]));
  return { config, phase, ranks };
}

/** What is doubled in the scaling table. */
export type ScaledAxis = 'width' | 'depth' | 'tokens' | 'batch';

export interface ScaledCase extends BenchCase {
  axis: ScaledAxis;
  /** Width, blocks, tokens or images: what the exponent is fitted against. */
  size: number;
}

const BASE: BenchCase = { name: 'base', shape: { ...small, embedDim: 192, depth: 4, numHeads: 3 }, batch: 8 };

/** The base, and every axis about doubled and quadrupled alone. Head width stays 64; token counts are squares plus one. */
export function scaledCases(): { base: BenchCase; baseSizes: Record<ScaledAxis, number>; scaled: ScaledCase[] } {
  const { shape, batch } = BASE;
  const scaled = (axis: ScaledAxis, size: number, change: Partial<Geometry>, images = batch): ScaledCase => {
    return { name: `${axis} ${size}`, axis, size, shape: { ...shape, ...change }, batch: images };
  };
  return {
    base: BASE,
    baseSizes: { width: 192, depth: 4, tokens: 65, batch },
    scaled: [
      scaled('width', 384, { embedDim: 384, numHeads: 6 }),
      scaled('width', 768, { embedDim: 768, numHeads: 12 }),
      scaled('depth', 8, { depth: 8 }),
      scaled('depth', 16, { depth: 16 }),
      scaled('tokens', 122, { imageSize: 44 }),
      scaled('tokens', 257, { imageSize: 64 }),
      scaled('batch', 16, {}, 16),
      scaled('batch', 32, {}, 32),
    ],
  };
}

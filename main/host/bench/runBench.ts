/**
 * The benchmark from its first case to its result file, in the order in which it prints: cases against the peer, monitoring, eager
 * execution, wasm, growth. Every part can be run alone.
 */
import os from 'node:os';
import { predictMemory } from '../../core/predictedMemory.ts';
import { median } from '../../core/statistics.ts';
import { PreloraError } from '../../protocol/reply.ts';
import { type BenchCase, CASES, type CaseOptions, type ScaledAxis, scaledCases, setupOf } from './cases.ts';
import { type Figure, figureOf, figuresOfCase } from './goals.ts';
import { type MachineFacts, machineFacts } from './machine.ts';
import { type BenchSettings, type CaseResult, type Entrant, measureCase, measureTogether } from './measureCase.ts';
import { ownSide } from './side.ts';
import { fittedExponent, type Measured, ratioSpread, speedRatio } from './turns.ts';

export const BENCH_PARTS = ['cases', 'monitoring', 'eager', 'wasm', 'scaling'] as const;
export type BenchPart = (typeof BENCH_PARTS)[number];

export interface BenchOptions extends BenchSettings {
  cases: readonly BenchCase[];
  parts: readonly BenchPart[];
}

/** All that was measured; what the result file holds. */
export interface BenchResult {
  version: 1;
  date: string;
  machine: MachineFacts;
  settings: { threads: number; samples: number; warmUps: number; peer: string | null };
  cases: CaseResult[];
  /** Sides `plain`, `metrics`, `snapshot` at ti65. */
  monitoring: Record<string, Measured> | null;
  /** Sides `compiled`, `eager` at ti65. */
  eager: Record<string, Measured> | null;
  /** Sides `wasm`, `eager` at ti65. */
  wasm: Record<string, Measured> | null;
  scaling: ScalingResult | null;
  figures: Figure[];
}

export interface ScalingRow {
  name: string;
  axis: ScaledAxis | null;
  size: number | null;
  measured: Measured;
}

export interface ScalingResult {
  rows: ScalingRow[];
  /** Exponents of step time, and of memory above that of the bare process. */
  exponents: Record<ScaledAxis, { time: number; memory: number }>;
}

/** Steps between snapshots that P7 reckons with: an epoch of 3,200 images in batches of 32, a short one. */
const SNAPSHOT_EVERY = 100;
/** A wasm step of this size takes some ten seconds. */
const WASM_SAMPLES = 3;
const TINY = CASES[0] as BenchCase;

/** Measures the parts asked for. Throws `engine-unavailable` without a native engine, `interrupted` when aborted. */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { threads, samples, python, say, parts } = options;
  const machine = await machineFacts(python, threads);
  if (machine.load > machine.cores / 2)
    say(`the machine is busy (load ${machine.load.toFixed(1)}): times mean little, ratios a little more`);
  const result: BenchResult = {
    version: 1,
    date: new Date().toISOString(),
    machine,
    settings: { threads, samples, warmUps: 2, peer: python },
    cases: [],
    monitoring: null,
    eager: null,
    wasm: null,
    scaling: null,
    figures: [],
  };
  try {
    if (parts.includes('cases')) await measureCases(options, result);
    if (parts.includes('monitoring')) await measureMonitoring(options, result);
    if (parts.includes('eager')) await measureEager(options, result);
    if (parts.includes('wasm')) await measureWasm(options, result);
    if (parts.includes('scaling')) await measureScaling(options, result);
  } catch (error) {
    if (options.signal.aborted) throw new PreloraError('interrupted', 'the benchmark was interrupted; nothing was written');
    throw error;
  }
  return result;
}

async function measureCases(options: BenchOptions, result: BenchResult): Promise<void> {
  for (const benchCase of options.cases) {
    options.say(`case ${benchCase.name}`);
    const measured = await measureCase(benchCase, options, fitsTogether(benchCase, options));
    result.cases.push(measured);
    result.figures.push(...figuresOfCase(measured));
  }
}

/** Whether both phases of both sides find room in free memory at once; each side of the peer is taken for as large as ours. */
function fitsTogether(benchCase: BenchCase, { threads, python }: BenchSettings): boolean {
  const bytes = (['full', 'lora'] as const).map((phase) => {
    const { config, ranks } = setupOf(benchCase, { phase, threads });
    return predictMemory(config, phase, ranks).totalBytes;
  });
  const needed = (python === null ? 1 : 2) * bytes.reduce((sum, value) => sum + value, 0);
  return needed < 0.8 * os.freemem();
}

/** P7: the same step with nothing recorded, with a line of metrics, and with a snapshot too. */
async function measureMonitoring(options: BenchOptions, result: BenchResult): Promise<void> {
  options.say('monitoring');
  const entrant = (name: string, monitored?: Entrant['monitored']): Entrant => ({
    ...ownEntrant(name, TINY, { phase: 'full', threads: options.threads, tracksDisplacement: true }),
    ...(monitored ? { monitored } : {}),
  });
  const entrants = [entrant('plain'), entrant('metrics', 'metrics'), entrant('snapshot', 'snapshot')];
  // A small difference of large times: more turns than elsewhere.
  const { sides } = await measureTogether(entrants, { ...options, samples: 3 * options.samples });
  result.monitoring = sides;
  const { plain, metrics, snapshot } = sides;
  if (!plain || !metrics || !snapshot) return;
  const perStep = speedRatio(plain.ms, metrics.ms) - 1;
  const perSnapshot = speedRatio(plain.ms, snapshot.ms) - 1 - perStep;
  result.figures.push(figureOf('P7', TINY.name, perStep + perSnapshot / SNAPSHOT_EVERY));
}

async function measureEager(options: BenchOptions, result: BenchResult): Promise<void> {
  options.say('eager against compiled');
  const place: CaseOptions = { phase: 'full', threads: options.threads };
  const entrants = [ownEntrant('compiled', TINY, place), ownEntrant('eager', TINY, { ...place, compiled: false })];
  const { sides } = await measureTogether(entrants, options);
  result.eager = sides;
}

async function measureWasm(options: BenchOptions, result: BenchResult): Promise<void> {
  options.say('wasm against eager native');
  const place: CaseOptions = { phase: 'full', threads: options.threads, compiled: false };
  const entrants = [ownEntrant('wasm', TINY, { ...place, backend: 'wasm' }), ownEntrant('eager', TINY, place)];
  const { sides } = await measureTogether(entrants, { ...options, samples: Math.min(WASM_SAMPLES, options.samples) });
  result.wasm = sides;
  const { wasm, eager } = sides;
  if (!wasm || !eager) return;
  result.figures.push(figureOf('P13', TINY.name, speedRatio(wasm.ms, eager.ms), { spread: ratioSpread(wasm.ms, eager.ms) }));
}

async function measureScaling(options: BenchOptions, result: BenchResult): Promise<void> {
  options.say('growth with width, depth, tokens and batch');
  const { base, scaled } = scaledCases();
  const entrants = [base, ...scaled].map((scaledCase) =>
    ownEntrant(scaledCase.name, scaledCase, { phase: 'full', threads: options.threads }),
  );
  const { sides } = await measureTogether(entrants, options);
  const rows = [{ name: base.name, axis: null, size: null }, ...scaled].flatMap(({ name, axis, size }): ScalingRow[] => {
    const measured = sides[name];
    return measured ? [{ name, axis, size, measured }] : [];
  });
  result.scaling = { rows, exponents: exponentsOf(rows) };
}

/** One fit per axis through the base and its neighbours. */
function exponentsOf(rows: readonly ScalingRow[]): ScalingResult['exponents'] {
  const { baseSizes } = scaledCases();
  const base = rows.find(({ axis }) => axis === null);
  const exponent = (axis: ScaledAxis, y: (measured: Measured) => number): number => {
    const points = rows.flatMap(({ axis: own, size, measured }) => (own === axis && size !== null ? [[size, y(measured)] as const] : []));
    return fittedExponent([...(base ? [[baseSizes[axis], y(base.measured)] as const] : []), ...points]);
  };
  const of = (axis: ScaledAxis) => ({
    time: exponent(axis, ({ ms }) => median(ms)),
    memory: exponent(axis, ({ peakBytes, opened }) => peakBytes - opened.baseBytes),
  });
  return { width: of('width'), depth: of('depth'), tokens: of('tokens'), batch: of('batch') };
}

function ownEntrant(name: string, benchCase: BenchCase, place: CaseOptions): Entrant {
  return { name, open: () => ownSide(place.threads), setup: setupOf(benchCase, place) };
}

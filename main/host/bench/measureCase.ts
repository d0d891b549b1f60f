/** One case measured on every side that takes part: opened in fresh processes, stepped by turns, its peak read, closed. */
import { matrixProducts } from '../../core/matrixProducts.ts';
import { predictMemory } from '../../core/predictedMemory.ts';
import type { Phase } from '../../protocol/run.ts';
import type { MeasuredSetup } from '../phaseOnNoise.ts';
import { type BenchCase, setupOf } from './cases.ts';
import type { Monitoring } from './protocol.ts';
import { ownSide, peerSide, type Side } from './side.ts';
import { type Measured, takeTurns } from './turns.ts';

export interface BenchSettings {
  threads: number;
  samples: number;
  /** Python of the peer; null without one. */
  python: string | null;
  say: (message: string) => void;
  signal: AbortSignal;
}

/** A side that is to be opened, and how it is asked for its steps. */
export interface Entrant {
  name: string;
  open: () => Side;
  setup: MeasuredSetup;
  monitored?: Monitoring;
}

/** Sides by name: `own/full`, `own/lora`, `peer/full`, `peer/lora`. A side that failed has its reason in `failed`. */
export interface CaseResult {
  name: string;
  shape: BenchCase['shape'];
  batch: number;
  sides: Record<string, Measured>;
  failed: Record<string, string>;
  /** What the estimator says of our peak memory, by phase. */
  predictedBytes: Partial<Record<Phase, number>>;
  /** Seconds that the matrix products of one step take alone, by phase. */
  productSeconds: Partial<Record<Phase, number>>;
}

const COMPARED: readonly Phase[] = ['full', 'lora'];

/** Full and LoRA phase of one case, ours and the peer's. `together`: all four take turns; else one phase after the other, in less memory. */
export async function measureCase(benchCase: BenchCase, settings: BenchSettings, together: boolean): Promise<CaseResult> {
  const { name, shape, batch } = benchCase;
  const entrants = COMPARED.map((phase) => entrantsOf(benchCase, phase, settings));
  const groups = together ? [entrants.flat()] : entrants;
  const result: CaseResult = { name, shape, batch, sides: {}, failed: {}, predictedBytes: {}, productSeconds: {} };
  for (const group of groups) {
    const { sides, failed } = await measureTogether(group, settings);
    Object.assign(result.sides, sides);
    Object.assign(result.failed, failed);
  }
  for (const phase of COMPARED) {
    const { config, ranks } = setupOf(benchCase, { phase, threads: settings.threads });
    result.predictedBytes[phase] = predictMemory(config, phase, ranks).totalBytes;
    settings.say(`  matrix products of phase ${phase}`);
    result.productSeconds[phase] = await secondsOfProducts(benchCase, phase, settings);
  }
  return result;
}

function entrantsOf(benchCase: BenchCase, phase: Phase, { threads, python }: BenchSettings): Entrant[] {
  const setup = setupOf(benchCase, { phase, threads });
  const own = { name: `own/${phase}`, open: () => ownSide(threads), setup };
  return python === null ? [own] : [own, { name: `peer/${phase}`, open: () => peerSide(python, threads), setup }];
}

/** Opens every side in a process of its own, lets them take turns and closes them. A side that cannot be opened is left out, with why. */
export async function measureTogether(
  entrants: readonly Entrant[],
  { samples, say, signal }: Pick<BenchSettings, 'samples' | 'say' | 'signal'>,
): Promise<{ sides: Record<string, Measured>; failed: Record<string, string> }> {
  const failed: Record<string, string> = {};
  const opened: { entrant: Entrant; side: Side; facts: Measured['opened'] }[] = [];
  try {
    for (const entrant of entrants) {
      signal.throwIfAborted();
      const side = entrant.open();
      try {
        opened.push({ entrant, side, facts: await side.ask('open', entrant.setup) });
        say(`  ${entrant.name} is ready`);
      } catch (error) {
        failed[entrant.name] = (error as Error).message;
        say(`  ${entrant.name}: ${failed[entrant.name]}`);
        await side.close();
      }
    }
    const takers = opened.map(({ entrant, side }) => ({ name: entrant.name, step: () => timedStep(entrant, side, signal) }));
    const taken = await takeTurns(takers, samples, (done, all) => say(`  turn ${done} of ${all}`));
    const sides: Record<string, Measured> = {};
    for (const { entrant, side, facts } of opened) {
      const { peakBytes } = await side.ask('memory', {});
      sides[entrant.name] = { opened: facts, ms: taken[entrant.name] ?? [], peakBytes };
    }
    return { sides, failed };
  } finally {
    await Promise.all(opened.map(({ side }) => side.close()));
  }
}

async function timedStep({ monitored }: Entrant, side: Side, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  return (await side.ask('step', monitored ? { monitored } : {})).ms;
}

async function secondsOfProducts(benchCase: BenchCase, phase: Phase, { threads, signal }: BenchSettings): Promise<number> {
  const { config, ranks } = setupOf(benchCase, { phase, threads });
  const products = matrixProducts(config, phase, ranks, benchCase.batch);
  const side = ownSide(threads);
  // One long request: an abort ends the process that works on it.
  const stop = (): void => void side.close();
  signal.addEventListener('abort', stop);
  try {
    signal.throwIfAborted();
    const { seconds } = await side.ask('products', { products });
    return products.reduce((sum, { count }, i) => sum + count * (seconds[i] as number), 0);
  } finally {
    signal.removeEventListener('abort', stop);
    await side.close();
  }
}

/**
 * Measuring by turns: every side does one step, then every side the next, so that whatever the machine does meanwhile meets them alike
 * (benchmarks.md, first paragraph). What counts is the ratio of two sides within a turn.
 */
import { median } from '../../core/statistics.ts';
import type { OpenedPhase } from './protocol.ts';

/** First steps that are not counted: they compile, allocate and warm caches. */
export const WARM_UP_TURNS = 2;
/** Fewest counted turns of a measurement that is to be quoted. */
export const FEWEST_SAMPLES = 7;

/** What takes a turn; bench/side.ts is the real one. */
export interface TurnTaker {
  name: string;
  step(): Promise<number>;
}

/** Raw samples of one side. */
export interface Measured {
  opened: OpenedPhase;
  /** Milliseconds of each counted step, in time order. Equal places in two sides are one turn. */
  ms: number[];
  /** High-water mark of its process, which did nothing else. */
  peakBytes: number;
}

/** Lets all sides step in turn; gives back the counted milliseconds of each by name. `onTurn` hears of turns done, of all. */
export async function takeTurns(
  sides: readonly TurnTaker[],
  samples: number,
  onTurn: (done: number, all: number) => void = () => {},
): Promise<Record<string, number[]>> {
  const taken: Record<string, number[]> = Object.fromEntries(sides.map(({ name }) => [name, []]));
  for (let turn = 0; turn < WARM_UP_TURNS + samples; turn++) {
    for (const side of sides) {
      const ms = await side.step();
      if (turn >= WARM_UP_TURNS) taken[side.name]?.push(ms);
    }
    onTurn(turn + 1, WARM_UP_TURNS + samples);
  }
  return taken;
}

/** How many times faster `a` is than `b`: the median over the turns of b ÷ a. */
export function speedRatio(a: readonly number[], b: readonly number[]): number {
  return median(pairs(a, b).map(([own, other]) => other / own));
}

/** The middle half of the ratios, as a measure of how sure the median is. */
export function ratioSpread(a: readonly number[], b: readonly number[]): [number, number] {
  const ratios = pairs(a, b)
    .map(([own, other]) => other / own)
    .sort((x, y) => x - y);
  const at = (share: number): number => ratios[Math.round(share * (ratios.length - 1))] as number;
  return [at(0.25), at(0.75)];
}

function pairs(a: readonly number[], b: readonly number[]): [number, number][] {
  if (a.length !== b.length || a.length === 0) throw new RangeError(`turns do not match: ${a.length} and ${b.length} samples`);
  return a.map((own, turn) => [own, b[turn] as number]);
}

/** Exponent of y ∝ x^e: the slope of a straight line through the logarithms. */
export function fittedExponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/**
 * The figures of benchmarks.md section 2 from raw samples: a ratio per case, held against must and aim. Pure, so that a result file can be
 * read again.
 */
import { median } from '../../core/statistics.ts';
import type { CaseResult } from './measureCase.ts';
import { ratioSpread, speedRatio } from './turns.ts';

export interface Figure {
  /** P1 … P13. */
  goal: string;
  what: string;
  case: string;
  value: number;
  /** The middle half of the turns, for ratios of times. */
  spread: [number, number] | null;
  must: number | null;
  aim: number | null;
  reached: 'aim' | 'must' | 'missed' | null;
}

interface Goal {
  goal: string;
  what: string;
  must: number | null;
  aim: number | null;
  isBetter: 'higher' | 'lower';
}

const GOALS = {
  P1: { goal: 'P1', what: 'full phase, speed ÷ PyTorch', must: 1.15, aim: 1.5, isBetter: 'higher' },
  P2: { goal: 'P2', what: 'LoRA phase, speed ÷ PyTorch + PEFT', must: 1.3, aim: 2, isBetter: 'higher' },
  P3: { goal: 'P3', what: 'LoRA phase ÷ full phase, speed', must: 1.25, aim: 1.45, isBetter: 'higher' },
  P4: { goal: 'P4', what: 'peak memory, LoRA phase ÷ full phase', must: 0.8, aim: 0.55, isBetter: 'lower' },
  P5full: { goal: 'P5', what: 'peak memory ÷ PyTorch, full phase', must: 1.2, aim: 0.9, isBetter: 'lower' },
  P5lora: { goal: 'P5', what: 'peak memory ÷ PyTorch + PEFT, LoRA phase', must: 1.2, aim: 0.9, isBetter: 'lower' },
  P6full: { goal: 'P6', what: 'share of the step in matrix products, full phase', must: 0.7, aim: 0.88, isBetter: 'higher' },
  P6lora: { goal: 'P6', what: 'share of the step in matrix products, LoRA phase', must: 0.7, aim: 0.88, isBetter: 'higher' },
  P7: { goal: 'P7', what: 'cost of monitoring, share of step time', must: 0.02, aim: 0.005, isBetter: 'lower' },
  P10: { goal: 'P10', what: 'trace and load of the compiled step, seconds', must: 20, aim: 5, isBetter: 'lower' },
  P13: { goal: 'P13', what: 'wasm ÷ eager native, speed', must: null, aim: 0.5, isBetter: 'higher' },
} as const satisfies Record<string, Goal>;

/** Goals whose must the specification sets for some cases only: narrower models are reported without one. */
const WIDE = 384;
const P4_CASE = 'b197';
const P10_CASE = 'l197';

/** One figure against its goal. `isBound` false: reported, but the goal does not speak of this case. */
export function figureOf(
  key: keyof typeof GOALS,
  name: string,
  value: number,
  { spread = null, isBound = true }: { spread?: Figure['spread']; isBound?: boolean } = {},
): Figure {
  const { goal, what, must, aim, isBetter }: Goal = GOALS[key];
  if (!isBound) return { goal, what, case: name, value, spread, must: null, aim: null, reached: null };
  const holds = (limit: number): boolean => (isBetter === 'higher' ? value >= limit : value <= limit);
  const short = must === null || holds(must) ? 'must' : 'missed';
  return { goal, what, case: name, value, spread, must, aim, reached: aim !== null && holds(aim) ? 'aim' : must === null ? null : short };
}

/** P1 to P6 and P10 of one case, as far as its sides were measured. */
export function figuresOfCase({ name, shape, sides, productSeconds }: CaseResult): Figure[] {
  const { 'own/full': full, 'own/lora': lora, 'peer/full': peerFull, 'peer/lora': peerLora } = sides;
  const figures: Figure[] = [];
  const speed = (key: keyof typeof GOALS, a: typeof full, b: typeof full, isBound = true): void => {
    if (a && b) figures.push(figureOf(key, name, speedRatio(a.ms, b.ms), { spread: ratioSpread(a.ms, b.ms), isBound }));
  };
  const memory = (key: keyof typeof GOALS, a: typeof full, b: typeof full, isBound = true): void => {
    if (a && b) figures.push(figureOf(key, name, a.peakBytes / b.peakBytes, { isBound }));
  };
  speed('P1', full, peerFull);
  speed('P2', lora, peerLora);
  speed('P3', lora, full, shape.embedDim >= WIDE);
  memory('P4', lora, full, name === P4_CASE);
  memory('P5full', full, peerFull);
  memory('P5lora', lora, peerLora);
  if (full && productSeconds.full) figures.push(figureOf('P6full', name, (1000 * productSeconds.full) / median(full.ms)));
  if (lora && productSeconds.lora) figures.push(figureOf('P6lora', name, (1000 * productSeconds.lora) / median(lora.ms)));
  if (full) figures.push(figureOf('P10', name, (full.opened.traceMs + full.opened.loadMs) / 1000, { isBound: name === P10_CASE }));
  return figures;
}

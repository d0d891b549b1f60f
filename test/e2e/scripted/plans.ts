/** The runs of each scenario: a few ordinary ones, none, or one that is as long and deep as the page must bear. */
import { SCRIPTED_CONFIG } from './application.ts';
import type { ScriptedOptions, ScriptedPlan } from './engine.ts';

/**
 * `full` is the ordinary one, `desktop` the same in the desktop app; `many` lists 10,000 runs; `deep` has 48 layers and 1,000 classes; `long` 24 layers and 500 snapshots;
 * `large` 24 layers and 5,000; `odd` long, right-to-left and emoji names and figures that are missing or not finite; `torn` a run of which
 * one record cannot be read.
 */
export type Scenario = 'full' | 'desktop' | 'gpu' | 'empty' | 'broken' | 'large' | 'many' | 'deep' | 'long' | 'odd' | 'torn';

const named = (runId: string, rest: { atStep: number; seed: number; daysAgo: number }, prelora: object = {}) => ({
  runId,
  name: runId,
  config: { ...SCRIPTED_CONFIG, train: { ...SCRIPTED_CONFIG.train, seed: rest.seed }, prelora: { ...SCRIPTED_CONFIG.prelora, ...prelora } },
  ...rest,
});

const FLOWERS: ScriptedPlan[] = [
  { ...named('flowers-b', { atStep: 3100, seed: 1, daysAgo: 0 }), status: 'running', tags: ['paper'] },
  { ...named('flowers-full', { atStep: 6000, seed: 2, daysAgo: 1 }, { switching: 'off' }), status: 'paused', tags: ['control'] },
  { ...named('flowers-a', { atStep: 15_000, seed: 3, daysAgo: 3 }), status: 'finished', tags: ['paper'] },
  { ...named('flowers-a-seed4', { atStep: 15_000, seed: 4, daysAgo: 4 }), status: 'finished', tags: ['paper'] },
  { ...named('flowers-joint', { atStep: 8000, seed: 6, daysAgo: 5 }), status: 'interrupted' },
  {
    ...named('flowers-damaged', { atStep: 250, seed: 7, daysAgo: 9 }),
    status: 'failed',
    problem: 'snapshots.jsonl line 3 is not JSON; the rest of the run can be read.',
  },
];

/** 24 layers × 6 families, a snapshot every 20 of 110,000 steps; 5,000 of them are there, the rest comes live. */
const LARGE: ScriptedPlan = {
  runId: 'large',
  name: 'large',
  config: {
    ...SCRIPTED_CONFIG,
    model: { ...SCRIPTED_CONFIG.model, depth: 24 },
    train: { ...SCRIPTED_CONFIG.train, epochs: 440 },
    prelora: { ...SCRIPTED_CONFIG.prelora, snapshotEvery: 20, tau: 0.05 },
  },
  atStep: 100_000,
  seed: 1,
  daysAgo: 0,
  status: 'running',
};

const LONG: ScriptedPlan = {
  ...LARGE,
  runId: 'long',
  name: 'long',
  config: {
    ...LARGE.config,
    train: { ...LARGE.config.train, epochs: 60 },
    prelora: { ...LARGE.config.prelora, snapshotEvery: 30, tau: 0.4 },
  },
  atStep: 15_000,
};

const DEEP: ScriptedPlan = {
  ...named('deep', { atStep: 5000, seed: 1, daysAgo: 0 }, { tau: 0.2 }),
  status: 'interrupted',
  config: { ...SCRIPTED_CONFIG, model: { ...SCRIPTED_CONFIG.model, depth: 48 }, prelora: { ...SCRIPTED_CONFIG.prelora, tau: 0.2 } },
};

const ODD_NAMES = {
  long: 'a-very-long-name-that-somebody-made-by-joining-every-setting-of-the-run-with-hyphens-lr0.001-bs128-seed17-final-final-2',
  rtl: 'تجربة الزهور',
  emoji: '🌼🌷 flowers 👩🏽‍🔬',
};
const ODD: ScriptedPlan[] = Object.entries(ODD_NAMES).map(([runId, name], i) => ({
  ...named(runId, { atStep: 3100 + 250 * i, seed: i + 1, daysAgo: i }),
  name,
  status: i === 0 ? 'running' : 'interrupted',
  tags: ['ein-sehr-langes-schlagwort-ohne-trennung', 'علامة'],
  odd: true,
}));

const TORN: ScriptedPlan = {
  ...named('torn', { atStep: 8000, seed: 6, daysAgo: 2 }),
  status: 'interrupted',
  torn: 'snapshots.jsonl: a line is no record: {"step":750,"epoch":3,"ph',
};

const PLANS: Record<Scenario, ScriptedPlan[]> = {
  full: FLOWERS,
  desktop: FLOWERS,
  gpu: FLOWERS.map((plan) => ({ ...plan, onGpu: true })),
  broken: FLOWERS,
  many: FLOWERS,
  empty: [],
  large: [LARGE],
  long: [LONG],
  deep: [DEEP],
  odd: ODD,
  torn: [TORN],
};

export function optionsOf(scenario: Scenario): ScriptedOptions {
  return {
    isBroken: scenario === 'broken',
    copies: scenario === 'many' ? 10_000 : 0,
    classCount: scenario === 'deep' ? 1000 : null,
    isDesktop: scenario === 'desktop',
  };
}

export function plansOf(scenario: Scenario): ScriptedPlan[] {
  return PLANS[scenario];
}

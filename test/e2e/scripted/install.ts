/** Bundled into one script and run before the page's own: puts a scripted engine behind `window.workbench`. */
import type { WorkbenchBridge } from '../../../renderer/transport/electron.ts';
import { SCRIPTED_CONFIG, type Scenario, ScriptedEngine } from './engine.ts';

declare global {
  interface Window {
    scripted: ScriptedEngine;
    scriptedScenario?: Scenario;
  }
}

const named = (runId: string, rest: { atStep: number; seed: number; daysAgo: number }, prelora: object = {}) => ({
  runId,
  name: runId,
  config: { ...SCRIPTED_CONFIG, train: { ...SCRIPTED_CONFIG.train, seed: rest.seed }, prelora: { ...SCRIPTED_CONFIG.prelora, ...prelora } },
  ...rest,
});

const PLANS = [
  { ...named('flowers-b', { atStep: 3100, seed: 1, daysAgo: 0 }), status: 'running' as const, tags: ['paper'] },
  { ...named('flowers-full', { atStep: 6000, seed: 2, daysAgo: 1 }, { switching: 'off' }), status: 'paused' as const, tags: ['control'] },
  { ...named('flowers-a', { atStep: 15_000, seed: 3, daysAgo: 3 }), status: 'finished' as const, tags: ['paper'] },
  { ...named('flowers-a-seed4', { atStep: 15_000, seed: 4, daysAgo: 4 }), status: 'finished' as const, tags: ['paper'] },
  { ...named('flowers-joint', { atStep: 8000, seed: 6, daysAgo: 5 }), status: 'interrupted' as const },
  {
    ...named('flowers-damaged', { atStep: 250, seed: 7, daysAgo: 9 }),
    status: 'failed' as const,
    problem: 'snapshots.jsonl line 3 is not JSON; the rest of the run can be read.',
  },
];

const scenario = window.scriptedScenario ?? 'full';
const engine = new ScriptedEngine(scenario === 'empty' ? [] : PLANS, scenario);
window.scripted = engine;
window.workbench = engine.bridge satisfies WorkbenchBridge;

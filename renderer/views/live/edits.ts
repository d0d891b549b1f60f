/** Which fields a live edit may offer in a phase, and what each does (product.md section 3, method.md section 4). The engine decides. */
import type { Phase } from '../../../main/protocol/run.ts';

const ANY_PHASE = ['train.lr', 'train.weightDecay', 'train.gradClip', 'train.earlyStopPatience', 'train.latestEnd'];
const UNTIL_SWITCH = [
  'prelora.tau',
  'prelora.zeta',
  'prelora.windowSize',
  'prelora.snapshotEvery',
  'prelora.normMetric',
  'prelora.switching',
  'prelora.rankMetric',
  'prelora.rankPool',
  'prelora.rMin',
  'prelora.rMax',
  'prelora.rankBudget',
  'prelora.graceSteps',
];
const UNTIL_FREEZE = ['prelora.jointSteps', 'prelora.alsoFreeze', 'prelora.optimizerAtFreeze', 'prelora.lrRampSteps'];

export function editableFields(phase: Phase): string[] {
  if (phase === 'full') return [...UNTIL_SWITCH, ...UNTIL_FREEZE, ...ANY_PHASE];
  return phase === 'warmup' ? [...UNTIL_FREEZE, 'prelora.snapshotEvery', ...ANY_PHASE] : ['prelora.snapshotEvery', ...ANY_PHASE];
}

/** What a change of the field does, in words. */
export function editEffect(path: string): string {
  if (path === 'prelora.snapshotEvery' || path === 'prelora.normMetric') return 'the window starts anew';
  if (path === 'prelora.windowSize') return 'the window waits until it is full';
  if (path === 'prelora.jointSteps') return 'below the steps done: freeze at the next step';
  if (path === 'train.lr') return 'the whole schedule is scaled from the next step';
  if (path.startsWith('prelora.')) return 'from the next test on; history is not judged again';
  return 'from the next step on';
}

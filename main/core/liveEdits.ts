/** Which settings of a running run may still change, by phase (method.md section 4). Edits act at the next step boundary. */
import { PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';

const ANY_PHASE = ['train.lr', 'train.weightDecay', 'train.gradClip', 'train.epochs'];
const WARMUP = ['prelora.jointSteps', 'prelora.alsoFreeze', 'prelora.optimizerAtFreeze', 'prelora.lrRampSteps'];
const LORA = ['prelora.snapshotEvery'];

/** Whether the field may be edited now. */
export function isEditable(path: string, phase: Phase): boolean {
  if (ANY_PHASE.includes(path)) return true;
  if (phase === 'full') return path.startsWith('prelora.') || path.startsWith('control.');
  return (phase === 'warmup' ? WARMUP : LORA).includes(path);
}

/** Throws `bad-arguments` naming what may be edited instead. */
export function checkEditable(path: string, phase: Phase): void {
  if (isEditable(path, phase)) return;
  const allowed = phase === 'full' ? 'prelora.*, control.*' : (phase === 'warmup' ? WARMUP : LORA).join(', ');
  throw new PreloraError('bad-arguments', `${path}: cannot be edited in phase ${phase}; ${allowed}, ${ANY_PHASE.join(', ')} can`, path);
}

/** Back to the checkpoint before the switch: full, paused, switching manual (method.md section 11). What came after stays as a segment of its own. */
import { PreloraError } from '../protocol/reply.ts';
import type { TrainingRun } from './loop.ts';
import { restoreCheckpoint } from './runState.ts';

/** Throws `bad-arguments` without a switch and `disk-full` where the present state cannot be kept; the run is then as it was. */
export async function undoSwitch(run: TrainingRun): Promise<void> {
  const { store } = run.options;
  const { switchStep } = run.state.phase;
  if (switchStep === null) throw new PreloraError('bad-arguments', 'undo: there is no switch to undo');
  const left = run.state;
  if (left.step > switchStep && !(await run.checkpoints.pin('before-undo'))) {
    throw new PreloraError('disk-full', `undo: the present state cannot be kept: ${run.message}`);
  }
  const { state, tensors } = restoreCheckpoint(await store.loadCheckpoint(switchStep));
  const segment = await store.startSegment({ step: switchStep, segment: state.segment }, 'undo');
  await store.setRanksAside(left.segment);
  const config = { ...state.config, prelora: { ...state.config.prelora, switching: 'manual' as const } };
  await run.restart({ ...state, segment, config, phase: { ...state.phase, pending: null } }, tensors);
  run.checkpoints.forgetPins();
  await store.pinCheckpoint({ step: switchStep, segment, reason: 'before-switch' });
  run.status = 'paused';
  run.journal('undone', 'user', { from: left.step, to: switchStep, switching: `${left.config.prelora.switching} → manual` });
  run.checkpoints.isRequested = true;
}

/**
 * Obeys what the user asks at a step boundary (method.md section 5): in order of arrival, each journalled, each answered once. Stop and undo
 * discard what still waits; a pause waits here, with the model loaded, until it is told to go on.
 */
import { epochSteps } from '../core/duration.ts';
import { afterEdit, type Deferral, defer, freezeNow, trigger, veto } from '../core/phase.ts';
import { assignRanks, type RankAssignment } from '../core/rankAssignment.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { EvaluationScores } from '../protocol/results.ts';
import { Answers } from './answers.ts';
import type { DeferUntil, QueuedCommand, RunCommand } from './commands.ts';
import { type EvaluationSums, softmax } from './evaluate.ts';
import { editConfig } from './liveEdit.ts';
import type { TrainingRun } from './loop.ts';
import { undoSwitch } from './undoSwitch.ts';

/** Obeys everything that waits now. */
export async function obeyCommands(run: TrainingRun): Promise<void> {
  for (let queued = run.options.commands.take(); queued; queued = run.options.commands.take()) {
    await settle(run, queued);
    if (run.stopRequested || queued.command.kind === 'undo') {
      run.options.commands.refuseWaiting('an earlier command stopped or rewound the run');
      return;
    }
  }
}

/** A paused or diverged run: a checkpoint, then one command at a time. Returns after each, so that the caller sees what changed. */
export async function waitWhilePaused(run: TrainingRun): Promise<void> {
  if (run.pauseAtStep !== null) run.pauseAtStep = null;
  await run.checkpoints.save();
  await run.writeStatus({ now: true });
  run.recorder.activity(run.status === 'diverged' ? 'stopped: not finite' : 'paused');
  await run.options.commands.waitForOne();
  await obeyCommands(run);
  await run.writeStatus({ now: true });
}

async function settle(run: TrainingRun, { command, resolve, reject }: QueuedCommand): Promise<void> {
  try {
    const answer = await obey(run, command);
    // Before the answer: whoever gets it and looks sees what the command did.
    await run.writeStatus();
    resolve(answer);
  } catch (error) {
    // A wrong command is its sender's affair; anything else is a fault of the run.
    reject(error);
    if (!(error instanceof PreloraError)) throw error;
  }
}

async function obey(run: TrainingRun, command: RunCommand): Promise<unknown> {
  const { state, settings } = run;
  switch (command.kind) {
    case 'pause':
      return setStatus(run, 'paused');
    case 'resume':
      return setStatus(run, 'running');
    case 'advance':
      run.pauseAtStep = state.step + command.steps;
      return setStatus(run, 'running');
    case 'stop':
      run.stopRequested = true;
      return undefined;
    case 'checkpoint':
      await run.checkpoints.save();
      return { step: state.step };
    case 'edit':
      return edit(run, command);
    case 'note':
      return run.journal('note', 'user', { text: command.text });
    case 'slept':
      return run.sleep.told(command.ms);
    case 'switchNow':
      return run.accept(trigger(state.phase, state.step, settings, command.ranks && planFor(run, command.ranks)));
    case 'veto':
      return run.accept(veto(state.phase, state.step));
    case 'defer':
      return run.accept(defer(state.phase, state.step, deferralOf(run, command.until)));
    case 'freezeNow':
      return run.accept(freezeNow(state.phase, state.step));
    case 'undo':
      return undoSwitch(run);
    case 'evaluate':
      return evaluateNow(run);
    case 'predict':
      return { probabilities: softmax(run.trainer.logits({ count: 1, patches: command.patches })), step: state.step };
  }
}

/** The scores of this moment, with confusion and the images behind it. */
async function evaluateNow(run: TrainingRun): Promise<EvaluationSums & Pick<EvaluationScores, 'step' | 'confusion' | 'images'>> {
  const answers = new Answers(run.config.model.numClasses);
  const sums = await run.evaluate((logits, batch) => answers.add(logits, batch));
  return { ...sums, step: run.state.step, confusion: answers.confusion, images: answers.images() };
}

function setStatus(run: TrainingRun, status: 'paused' | 'running'): void {
  if (run.status === status) return;
  run.status = status;
  run.message = null;
  run.journal(status === 'paused' ? 'paused' : 'resumed', 'user', {});
}

/** The plan that was previewed: exactly these ranks, with the numbers of now beside them. */
function planFor(run: TrainingRun, ranks: Record<string, number>): RankAssignment {
  const { model, prelora, control, train } = run.config;
  const asPreviewed = { ...prelora, rankOverrides: ranks, rankBudget: null };
  return assignRanks(run.state.phase.recent, { model, prelora: asPreviewed, control, train });
}

function deferralOf(run: TrainingRun, until: DeferUntil): Deferral {
  if ('tests' in until) return { kind: 'tests', remaining: until.tests };
  if ('step' in until) return { kind: 'step', step: until.step };
  if ('epoch' in until) return { kind: 'step', step: epochSteps(until.epoch, run.state.stepsPerEpoch) };
  return { kind: 'everyModule' };
}

/** Changes settings from the next update on; the journal has old → new. */
function edit(run: TrainingRun, { changes, extension }: Extract<RunCommand, { kind: 'edit' }>): void {
  const { state } = run;
  const before = run.settings;
  const { config, changed } = editConfig(run.config, changes, { phase: state.phase.phase, stepsPerEpoch: state.stepsPerEpoch });
  const totalSteps = config.train.epochs * state.stepsPerEpoch;
  const lengthens = changed.some(({ field }) => field === 'train.epochs');
  if (lengthens && totalSteps <= state.step) {
    const message = `train.epochs ${config.train.epochs}: must be more than ${(state.step / state.stepsPerEpoch).toFixed(2)}, the epochs already trained`;
    throw new PreloraError('bad-config', message, 'train.epochs');
  }
  state.config = config;
  if (lengthens) {
    state.extensions = [...state.extensions, { atStep: state.step, totalSteps, mode: extension }];
    state.totalSteps = totalSteps;
  }
  state.phase = afterEdit(state.phase, state.step, before, run.settings);
  for (const change of changed) run.journal('edited', 'user', { ...change, ...(change.field === 'train.epochs' ? { extension } : {}) });
  run.checkpoints.isRequested = true;
}

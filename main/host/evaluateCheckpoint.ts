/** A stored checkpoint's answers, computed by a model made for answering only: validation metrics, single predictions. Never writes the run. */
import { openEvalBatches } from '../data/batches.ts';
import { openDataset } from '../data/dataset.ts';
import { chooseBackend } from '../engine/choose.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { CheckpointName, EvaluationScores } from '../protocol/results.ts';
import type { Phase } from '../protocol/run.ts';
import { loadCheckpointOrOffer, newestGoodCheckpoint } from '../store/checkpointFolder.ts';
import { readBest, readConfig, readLineage } from '../store/runFolder.ts';
import { Answers } from '../train/answers.ts';
import { addSums, type EvaluationSums, scoreLogits, softmax } from '../train/evaluate.ts';
import { Evaluator } from '../train/evaluator.ts';
import type { StartProgram } from '../train/phaseTrainer.ts';
import { programStarter } from '../train/runProgram.ts';
import { type RunState, restoreCheckpoint } from '../train/runState.ts';
import type { TensorState } from '../train/tensorState.ts';

export interface CheckpointScores extends EvaluationScores {
  epoch: number;
  phase: Phase;
  backend: string;
}

interface OpenCheckpoint {
  step: number;
  state: RunState;
  evaluator: Evaluator;
  backend: string;
}

/** A checkpoint's content, and how a program for it is started on the backend of its config. */
export interface RestoredCheckpoint {
  step: number;
  state: RunState;
  tensors: TensorState;
  start: StartProgram;
  backend: string;
}

/** Scores over the whole validation split. Throws `not-found`, `checkpoint-damaged`, or what the data throws. */
export async function evaluateCheckpoint(
  dir: string,
  checkpoint: CheckpointName,
  say: (message: string) => void,
): Promise<CheckpointScores> {
  return withCheckpoint({ dir, checkpoint, say }, async ({ step, state, evaluator, backend }) => {
    const { data, model } = state.config;
    const dataset = await openDataset(data, { channels: model.inChannels });
    const parts: EvaluationSums[] = [];
    const answers = new Answers(model.numClasses);
    for await (const batch of openEvalBatches(dataset, state.config, evaluator.batch)) {
      const logits = evaluator.logits(batch);
      parts.push(scoreLogits(logits, batch.labels));
      answers.add(logits, batch);
    }
    const { loss, top1, top5, count } = addSums(parts);
    const scores = { valLoss: loss / count, valTop1: top1 / count, valTop5: top5 / count, count, confusion: answers.confusion };
    return { step, epoch: step / state.stepsPerEpoch, phase: state.phase.phase, ...scores, images: answers.images(), backend };
  });
}

/** Class probabilities of one image given as flattened patches [1, N − 1, P·P·K]. */
export async function predictWithCheckpoint(
  dir: string,
  checkpoint: CheckpointName,
  patches: Float32Array,
): Promise<{ probabilities: number[]; step: number }> {
  return withCheckpoint({ dir, checkpoint, say: () => {} }, async ({ step, evaluator }) => {
    return { probabilities: softmax(evaluator.logits({ count: 1, patches })), step };
  });
}

export interface CheckpointAt {
  dir: string;
  checkpoint: CheckpointName;
  say: (message: string) => void;
}

/** Throws `not-found` or `checkpoint-damaged`. */
export async function restoreAt({ dir, checkpoint, say }: CheckpointAt): Promise<RestoredCheckpoint> {
  const config = await readConfig(dir);
  const step = await stepOf({ dir, checkpoint, say });
  const { state, tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, step, config.model, await readLineage(dir)));
  const backend = await chooseBackend(state.config.engine);
  const start = programStarter({ backend, compiled: state.config.engine.compiled, warn: say });
  return { step, state, tensors, start, backend: backend.name };
}

async function withCheckpoint<T>(at: CheckpointAt, use: (opened: OpenCheckpoint) => Promise<T>): Promise<T> {
  const { step, state, tensors, start, backend } = await restoreAt(at);
  const evaluator = new Evaluator(state, tensors, start);
  try {
    return await use({ step, state, evaluator, backend });
  } finally {
    evaluator.dispose();
  }
}

async function stepOf({ dir, checkpoint, say }: CheckpointAt): Promise<number> {
  if (typeof checkpoint === 'number') return checkpoint;
  const config = await readConfig(dir);
  if (checkpoint === 'best') {
    const best = await readBest(dir);
    if (best === null) throw new PreloraError('not-found', `${dir} has no best checkpoint yet: no evaluation was made`);
    return best;
  }
  const { step, damaged } = await newestGoodCheckpoint(dir, config.model, await readLineage(dir));
  for (const message of damaged) say(message);
  if (step === null) throw new PreloraError('not-found', `${dir} has no usable checkpoint`);
  return step;
}

/** A stored checkpoint's answers, computed by a model made for answering only: validation metrics, single predictions. Never writes the run. */
import { openEvalBatches } from '../data/batches.ts';
import { openDataset } from '../data/dataset.ts';
import { chooseBackend } from '../engine/choose.ts';
import { PreloraError } from '../protocol/reply.ts';
import { loadCheckpointOrOffer, newestGoodCheckpoint } from '../store/checkpointFolder.ts';
import { readBest, readConfig, readLineage } from '../store/runFolder.ts';
import { type AnsweredImage, Answers } from '../train/answers.ts';
import { addSums, type EvaluationSums, scoreLogits, softmax } from '../train/evaluate.ts';
import { Evaluator } from '../train/evaluator.ts';
import { programStarter } from '../train/runProgram.ts';
import { type RunState, restoreCheckpoint } from '../train/runState.ts';

export interface CheckpointScores {
  step: number;
  epoch: number;
  phase: string;
  valLoss: number;
  valTop1: number;
  valTop5: number;
  count: number;
  /** Rows: true class; columns: predicted class. */
  confusion: number[][];
  /** Mistakes, and right answers that were nearly none; highest loss first. */
  images: AnsweredImage[];
  backend: string;
}

export type CheckpointName = 'last' | 'best' | number;

interface OpenCheckpoint {
  step: number;
  state: RunState;
  evaluator: Evaluator;
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

interface Place {
  dir: string;
  checkpoint: CheckpointName;
  say: (message: string) => void;
}

async function withCheckpoint<T>({ dir, checkpoint, say }: Place, use: (opened: OpenCheckpoint) => Promise<T>): Promise<T> {
  const config = await readConfig(dir);
  const step = await stepOf({ dir, checkpoint, say });
  const { state, tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, step, config.model, await readLineage(dir)));
  const backend = await chooseBackend(state.config.engine);
  const start = programStarter({ backend, compiled: state.config.engine.compiled, warn: say });
  const evaluator = new Evaluator(state, tensors, start);
  try {
    return await use({ step, state, evaluator, backend: backend.name });
  } finally {
    evaluator.dispose();
  }
}

async function stepOf({ dir, checkpoint, say }: Place): Promise<number> {
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

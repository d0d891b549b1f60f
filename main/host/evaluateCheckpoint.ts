/** Validation metrics of a stored checkpoint, computed by a model made for answering only. The run is read, never written. */
import { openEvalBatches } from '../data/batches.ts';
import { openDataset } from '../data/dataset.ts';
import { chooseBackend } from '../engine/choose.ts';
import { PreloraError } from '../protocol/reply.ts';
import { loadCheckpointOrOffer, newestGoodCheckpoint } from '../store/checkpointFolder.ts';
import { readBest, readConfig, readLineage } from '../store/runFolder.ts';
import { addSums, type EvaluationSums, scoreLogits } from '../train/evaluate.ts';
import { Evaluator } from '../train/evaluator.ts';
import { programStarter } from '../train/runProgram.ts';
import { restoreCheckpoint } from '../train/runState.ts';

export interface CheckpointScores {
  step: number;
  epoch: number;
  phase: string;
  valLoss: number;
  valTop1: number;
  valTop5: number;
  count: number;
  backend: string;
}

/** Throws `not-found`, `checkpoint-damaged`, or what the data throws. */
export async function evaluateCheckpoint(
  dir: string,
  checkpoint: 'last' | 'best' | number,
  say: (message: string) => void,
): Promise<CheckpointScores> {
  const config = await readConfig(dir);
  const step = await stepOf(dir, checkpoint, say);
  const { state, tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, step, config.model, await readLineage(dir)));
  const dataset = await openDataset(state.config.data, { channels: state.config.model.inChannels });
  const backend = await chooseBackend(state.config.engine);
  const start = programStarter({ backend, compiled: state.config.engine.compiled, warn: say });
  const evaluator = new Evaluator(state, tensors, start);
  try {
    const parts: EvaluationSums[] = [];
    for await (const batch of openEvalBatches(dataset, state.config, evaluator.batch)) {
      parts.push(scoreLogits(evaluator.logits(batch), batch.labels));
    }
    const { loss, top1, top5, count } = addSums(parts);
    const scores = { valLoss: loss / count, valTop1: top1 / count, valTop5: top5 / count, count };
    return { step, epoch: step / state.stepsPerEpoch, phase: state.phase.phase, ...scores, backend: backend.name };
  } finally {
    evaluator.dispose();
  }
}

async function stepOf(dir: string, checkpoint: 'last' | 'best' | number, say: (message: string) => void): Promise<number> {
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

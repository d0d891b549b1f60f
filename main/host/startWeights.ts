/** What `model.startFrom` may name: a run of ours, with adapters merged into their weights, or a model that somebody else trained. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parameterShapes } from '../core/parameterShapes.ts';
import { describeStartWeights as describeForeign, readStartWeights as readForeign } from '../exchange/startWeights.ts';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import type { ModelShape } from '../protocol/config.ts';
import { referenceWords } from '../protocol/dataReference.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { StartWeightsReport } from '../protocol/results.ts';
import { loadCheckpointOrOffer } from '../store/checkpointFolder.ts';
import { LAST_FILE, readBest, readConfig, readLast, readLineage } from '../store/runFolder.ts';
import { adaptedRanks, restoreCheckpoint } from '../train/runState.ts';
import type { StartWeights } from '../train/startRun.ts';

/** Weights at `source` in the shape of `model`. Throws `not-found`, `unsafe-tensors`, `checkpoint-damaged`, or `bad-config` for a misfit. */
export async function readStartWeights(source: string, model: ModelShape): Promise<StartWeights> {
  refuseReference(source);
  return isOurRun(source) ? readRun(source, model) : readForeign(source, model);
}

/** The sizes of what is at `source`, for the form and the command line. */
export async function describeStartWeights(source: string): Promise<StartWeightsReport> {
  refuseReference(source);
  if (!isOurRun(source)) {
    const { vocabulary, model, notes } = await describeForeign(source);
    const kind = { classic: 'Hugging Face', renamed: 'Hugging Face', timm: 'timm' }[vocabulary];
    return { kind, model: { size: 'custom', ...model }, notes };
  }
  const { model } = await readConfig(source);
  const { imageSize, patchSize, inChannels, embedDim, depth, numHeads, mlpRatio, qkvBias, layerNormEps, numClasses } = model;
  const sizes = { imageSize, patchSize, inChannels, embedDim, depth, numHeads, mlpRatio, qkvBias, layerNormEps, numClasses };
  return { kind: 'a run of this program', model: { size: 'custom', ...sizes }, notes: [`step ${await stepOf(source)} is taken`] };
}

/** Weights that a run began with stay behind when it is bundled. */
function refuseReference(source: string): void {
  const missing = referenceWords(source);
  if (missing === null) return;
  throw new PreloraError(
    'not-found',
    `the start weights of this run did not come with its bundle (${missing}); give their file or folder`,
    'model.startFrom',
  );
}

function isOurRun(source: string): boolean {
  return existsSync(path.join(source, LAST_FILE));
}

/** The best checkpoint, else the last. */
async function stepOf(dir: string): Promise<number> {
  const step = (await readBest(dir)) ?? (await readLast(dir));
  if (step === null) throw new PreloraError('not-found', `start weights ${dir}: the run has no checkpoint yet`, 'model.startFrom');
  return step;
}

async function readRun(dir: string, model: ModelShape): Promise<StartWeights> {
  const step = await stepOf(dir);
  const there = (await readConfig(dir)).model;
  const { state, tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, step, there, await readLineage(dir)));
  checkHeads(dir, there, model);
  const weights = mergeAdapters(tensors.parameters, adaptedRanks(state));
  const notes = [`the weights are those of step ${step} of ${state.config.name}`];
  if (there.numClasses !== model.numClasses) {
    notes.push(`the head was for ${there.numClasses} classes, the data has ${model.numClasses}: it starts from random values`);
    for (const name of ['head.weight', 'head.bias']) weights.delete(name);
  }
  checkShapes(dir, weights, model);
  return { tensors: weights, notes };
}

function checkHeads(dir: string, there: ModelShape, model: ModelShape): void {
  for (const field of ['numHeads', 'layerNormEps', 'qkvBias', 'depth', 'patchSize', 'imageSize'] as const) {
    if (there[field] !== model[field]) refuse(dir, `was trained with ${field} ${there[field]}, the config says ${model[field]}`);
  }
}

function checkShapes(dir: string, weights: ReadonlyMap<string, HostTensor>, model: ModelShape): void {
  const shapes = parameterShapes(model);
  for (const [name, { shape }] of weights) {
    const wanted = shapes.get(name);
    if (String(wanted) !== String(shape)) refuse(dir, `${name}: has shape [${shape}], the config wants [${wanted}]`);
  }
}

function refuse(dir: string, rule: string): never {
  throw new PreloraError('bad-config', `start weights ${dir}: ${rule}`, 'model.startFrom');
}

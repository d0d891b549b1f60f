/** Checks V4 and V5 of formats.md section 13: what a model and preprocessing made of an export's files alone compute, against the checkpoint. */
import { evalGeometry } from '../core/evalGeometry.ts';
import { openDataset } from '../data/dataset.ts';
import { readSample } from '../data/imageReader.ts';
import { pixelsFor } from '../data/showImage.ts';
import { onnxLogits, pixelValues } from '../exchange/onnxRuntime.ts';
import type { ReadPreprocessing } from '../exchange/preprocessing.ts';
import type { ReadExport } from '../exchange/readExport.ts';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { ExportCheck } from '../protocol/exports.ts';
import { Evaluator } from '../train/evaluator.ts';
import type { RunState } from '../train/runState.ts';
import type { TensorState } from '../train/tensorState.ts';
import { type Difference, difference, type Inputs, imageOrRampInputs, isWithoutData, logitsOf } from './compareLogits.ts';
import type { RestoredCheckpoint } from './evaluateCheckpoint.ts';

const COMPUTED = 'logits of a model built from the files';
const PIXEL_IMAGES = 8;
const PIXEL_TOLERANCE = 1e-6;

/** What the checkpoint computes for the inputs of the comparison, so that it is computed once for all that is compared with it. */
export interface ReferenceLogits {
  inputs: readonly Inputs[];
  /** The run's images are not here. */
  isOnRamps: boolean;
  /** [n, C] */
  logits: readonly number[];
}

/** `trained` are the tensors that the export was made from. */
export async function referenceLogits({ state, start }: RestoredCheckpoint, trained: TensorState): Promise<ReferenceLogits> {
  const evaluator = new Evaluator(state, trained, start);
  try {
    const found = await imageOrRampInputs(state.config, evaluator.batch);
    return { ...found, logits: logitsOf(evaluator, found.inputs) };
  } finally {
    evaluator.dispose();
  }
}

/** V4: with adapters beside the base where the files hold them so, and merged. */
export function compareComputed(restored: RestoredCheckpoint, reference: ReferenceLogits, read: ReadExport): ExportCheck {
  const { parameters } = read;
  const adapters = addingAdapters(read);
  const models: [name: string, adapters: ReadExport['adapters'], parameters: ReadonlyMap<string, HostTensor>][] = [];
  if (adapters.size > 0) models.push(['base and adapters: ', adapters, withAdapters(parameters, adapters)]);
  models.push([adapters.size > 0 ? 'merged: ' : '', new Map(), mergeAdapters(parameters, adapters)]);
  const found = models.map(([name, own, tensors]) => {
    const logits = computedLogits(restored, reference, { ...read, adapters: own, parameters: new Map(tensors) });
    return { name, ...difference(reference.logits, logits, read.model.numClasses) };
  });
  const detail = found.map((own) => `${own.name}${inWords(own, reference)}`).join('; ');
  return { id: 'V4', what: COMPUTED, status: found.every(({ isEqual }) => isEqual) ? 'passed' : 'failed', detail };
}

/**
 * Without those whose B is zero all through, which add nothing: a fused one of timm is read as of q, k and v, of which some may be no
 * target of the run.
 */
function addingAdapters({ adapters, parameters }: ReadExport): ReadExport['adapters'] {
  return new Map([...adapters].filter(([module]) => parameters.get(`${module}.loraB`)?.data.some((value) => value !== 0)));
}

function withAdapters(parameters: ReadonlyMap<string, HostTensor>, adapters: ReadExport['adapters']): Map<string, HostTensor> {
  return new Map([...parameters].filter(([path]) => !/\.lora[AB]$/.test(path) || adapters.has(path.replace(/\.lora[AB]$/, ''))));
}

function computedLogits({ state, tensors, start }: RestoredCheckpoint, { inputs }: ReferenceLogits, read: ReadExport): number[] {
  const evaluator = new Evaluator(stateOf(state, read), { ...tensors, parameters: read.parameters, average: null }, start);
  try {
    return logitsOf(evaluator, inputs);
  } finally {
    evaluator.dispose();
  }
}

/** V4 of an ONNX folder, through a runtime that is none of ours; not run where there is none. */
export async function compareOnnx(folder: string, { model }: ResolvedConfig, reference: ReferenceLogits): Promise<ExportCheck> {
  const all = Float32Array.from(reference.inputs.flatMap(({ patches }) => [...patches]));
  const found = await onnxLogits(folder, pixelValues(all, model));
  if (!found)
    return { id: 'V4', what: COMPUTED, status: 'notRun', detail: 'no ONNX runtime is installed here, or the model is too large for it' };
  const compared = difference(reference.logits, [...found.logits], model.numClasses);
  const detail = `${found.runtime}: ${inWords(compared, reference)}`;
  return { id: 'V4', what: COMPUTED, status: compared.isEqual ? 'passed' : 'failed', detail };
}

/** The run's state with the geometry and the adapters of the files. */
function stateOf(state: RunState, { model, adapters }: Pick<ReadExport, 'model' | 'adapters'>): RunState {
  const ranks = state.ranks.map((own) => ({ ...own, ...(adapters.get(own.module) ?? { rank: 0 }) }));
  const phase = { ...state.phase, phase: adapters.size > 0 ? ('lora' as const) : ('full' as const) };
  return { ...state, config: { ...state.config, model }, ranks, phase };
}

function inWords({ images, largestDifference, limit, changedClasses }: Difference, { isOnRamps }: ReferenceLogits): string {
  const inputs = isOnRamps ? `${images} made-up inputs (the run's images are not here)` : `${images} images`;
  const classes = changedClasses === 0 ? 'every first class equal' : `${changedClasses} first classes differ`;
  return `${inputs}, largest difference ${small(largestDifference)} (limit ${small(limit)}), ${classes}`;
}

function small(value: number): string {
  return value === 0 ? '0' : value.toExponential(1);
}

/** V5: pixels of validation images as the written preprocessing makes them, against those that the run evaluates. */
export async function comparePixels(config: ResolvedConfig, preprocessing: ReadPreprocessing | null): Promise<ExportCheck> {
  const check = { id: 'V5', what: 'pixels by the written preprocessing' } as const;
  if (!preprocessing) return { ...check, status: 'notRun', detail: `none is written for ${config.model.inChannels} channels` };
  try {
    const { images, largest } = await largestPixelDifference(config, preprocessing);
    const detail = `${images} images, largest difference ${small(largest)} (limit ${small(PIXEL_TOLERANCE)})`;
    return { ...check, status: largest <= PIXEL_TOLERANCE ? 'passed' : 'failed', detail };
  } catch (error) {
    if (!isWithoutData(error)) throw error;
    return { ...check, status: 'notRun', detail: `the run's images are not here: ${error.message}` };
  }
}

async function largestPixelDifference(
  { model, data }: ResolvedConfig,
  written: ReadPreprocessing,
): Promise<{ images: number; largest: number }> {
  const { val, channels } = await openDataset(data, { channels: model.inChannels });
  const ours = { geometry: evalGeometry(model.imageSize, data.crop), mean: data.mean, std: data.std };
  const images = Math.min(PIXEL_IMAGES, val.count);
  let largest = 0;
  for (let index = 0; index < images; index++) {
    const image = await readSample(val, index, { channels, convertUnusual: data.convertUnusual });
    const [wanted, found] = [pixelsFor(image, model, ours), pixelsFor(image, model, written)];
    // NaN counts as a difference.
    wanted.forEach((value, at) => {
      const apart = Math.abs(value - (found[at] ?? Number.NaN));
      if (!(apart <= largest)) largest = apart;
    });
  }
  return { images, largest };
}

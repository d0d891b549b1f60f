/** Checks V4 and V5 of formats.md section 13: what a model and preprocessing made of an export's files alone compute, against the checkpoint. */
import { evalGeometry } from '../core/evalGeometry.ts';
import { openDataset } from '../data/dataset.ts';
import { readSample } from '../data/imageReader.ts';
import { pixelsFor } from '../data/showImage.ts';
import type { ReadPreprocessing } from '../exchange/preprocessing.ts';
import type { ReadExport } from '../exchange/readExport.ts';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { ExportCheck } from '../protocol/exports.ts';
import { Evaluator } from '../train/evaluator.ts';
import type { RunState } from '../train/runState.ts';
import type { TensorState } from '../train/tensorState.ts';
import { compareOnImages, compareOnRamps, type Difference, isWithoutData } from './compareLogits.ts';
import type { RestoredCheckpoint } from './evaluateCheckpoint.ts';

const PIXEL_IMAGES = 8;
const PIXEL_TOLERANCE = 1e-6;

/** V4: with adapters beside the base where the files hold them so, and merged. `trained` is what the checkpoint evaluates. */
export async function compareComputed(restored: RestoredCheckpoint, trained: TensorState, read: ReadExport): Promise<ExportCheck> {
  const what = 'logits of a model built from the files';
  const models: [name: string, state: RunState, parameters: ReadonlyMap<string, HostTensor>][] = [];
  const { adapters, parameters } = read;
  if (adapters.size > 0) models.push(['base and adapters: ', stateOf(restored.state, read), parameters]);
  const merged = mergeAdapters(parameters, adapters);
  models.push([adapters.size > 0 ? 'merged: ' : '', stateOf(restored.state, { ...read, adapters: new Map() }), merged]);
  const details: string[] = [];
  let isEqual = true;
  for (const [name, state, own] of models) {
    const difference = await compareModels(restored, trained, state, own);
    details.push(`${name}${inWords(difference)}`);
    isEqual &&= difference.isEqual;
  }
  return { id: 'V4', what, status: isEqual ? 'passed' : 'failed', detail: details.join('; ') };
}

async function compareModels(
  { state, start }: RestoredCheckpoint,
  trained: TensorState,
  stateOfFiles: RunState,
  parameters: ReadonlyMap<string, HostTensor>,
): Promise<Difference & { isOnRamps: boolean }> {
  const wanted = new Evaluator(state, trained, start);
  const found = new Evaluator(stateOfFiles, { ...trained, parameters: new Map(parameters), average: null }, start);
  try {
    return { ...(await compareOnImages(wanted, found, state.config)), isOnRamps: false };
  } catch (error) {
    if (!isWithoutData(error)) throw error;
    return { ...compareOnRamps(wanted, found, state.config), isOnRamps: true };
  } finally {
    wanted.dispose();
    found.dispose();
  }
}

/** The run's state with the geometry and the adapters of the files. */
function stateOf(state: RunState, { model, adapters }: Pick<ReadExport, 'model' | 'adapters'>): RunState {
  const ranks = state.ranks.map((own) => ({ ...own, ...(adapters.get(own.module) ?? { rank: 0 }) }));
  const phase = { ...state.phase, phase: adapters.size > 0 ? ('lora' as const) : ('full' as const) };
  return { ...state, config: { ...state.config, model }, ranks, phase };
}

function inWords({ images, isOnRamps, largestDifference, limit, changedClasses }: Difference & { isOnRamps: boolean }): string {
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

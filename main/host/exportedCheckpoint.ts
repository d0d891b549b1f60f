/** A checkpoint as it is handed on (exchange/exportSource.ts), and what is refused before anything is written (formats.md section 14). */
import type { ExportSource } from '../exchange/exportSource.ts';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import type { ExportSettings } from '../protocol/exports.ts';
import { PreloraError } from '../protocol/reply.ts';
import { listCheckpoints, loadCheckpointOrOffer } from '../store/checkpointFolder.ts';
import { readDataReport } from '../store/dataReport.ts';
import { readConfig, readLineage, readRecords, readStatus } from '../store/runFolder.ts';
import { adaptedRanks, restoreCheckpoint } from '../train/runState.ts';
import type { TensorState } from '../train/tensorState.ts';
import type { RestoredCheckpoint } from './evaluateCheckpoint.ts';
import { freezeBase } from './freezeBase.ts';
import { readAnnotations } from './runCatalog.ts';

/** Throws `bad-arguments` for a checkpoint that the format cannot hold. */
export async function exportedCheckpoint(dir: string, restored: RestoredCheckpoint, settings: ExportSettings): Promise<ExportSource> {
  const { state, step, tensors } = restored;
  const { phase } = state.phase;
  checkVariants(settings);
  const parameters = chosenWeights(tensors, settings.weights, step);
  const adapters = phase === 'full' ? new Map<string, { rank: number; alpha: number }>() : adaptedRanks(state);
  if (settings.format === 'peft' && adapters.size === 0) {
    refuse(`checkpoint step-${step} is in phase ${phase} and has no adapters; use --to hf, timm or onnx`, 'checkpoint');
  }
  const { classNames, valImages } = await readDataReport(dir);
  const classes = classNames.length > 0 ? classNames : Array.from({ length: state.config.model.numClasses }, (_, index) => String(index));
  checkClasses(classes, state.config.model.numClasses);
  const merged = mergeAdapters(parameters, adapters);
  await checkFinite(dir, step, merged);
  const weights = (own: TensorState, at: number) => chosenWeights(own, settings.weights, at);
  const freeze = settings.baseWeights === 'freeze' ? await freezeBase(dir, state, adapters, weights) : null;
  return {
    config: state.config,
    classes,
    parameters,
    merged,
    adapters,
    freeze,
    run: await nameOf(dir, state.config.name),
    checkpoint: { step, epoch: step / state.stepsPerEpoch, phase },
    // The run evaluated the averaged weights where it keeps some: of the trained ones nothing is known then.
    results: settings.weights === 'trained' && tensors.average ? null : await resultsAt(dir, step, valImages),
  };
}

function checkVariants({ format, baseWeights, peftBase }: ExportSettings): void {
  if (format !== 'peft' && baseWeights === 'freeze')
    refuse('--base-weights freeze: only a PEFT export has a base; use --to peft', 'baseWeights');
  if (format !== 'peft' && peftBase === 'timm') refuse('--peft-base timm: only a PEFT export has a base; use --to peft', 'peftBase');
  if (baseWeights === 'freeze' && peftBase === 'timm') {
    // PEFT saves whole modules, and timm's model holds these two itself, in no module of their own.
    refuse(
      '--base-weights freeze: a timm base has no module with the class token and positions to save; use --peft-base hf',
      'baseWeights',
    );
  }
}

/** The tensors that evaluation would use with this setting, for the comparison. */
export function comparedTensors(tensors: TensorState, weights: ExportSettings['weights']): TensorState {
  return weights === 'trained' ? { ...tensors, average: null } : tensors;
}

function chosenWeights({ parameters, average }: TensorState, weights: ExportSettings['weights'], step: number): Map<string, HostTensor> {
  if (weights === 'average' && !average) refuse(`checkpoint step-${step}: this checkpoint holds no averaged weights`, 'weights');
  return new Map([...parameters, ...(weights === 'trained' ? [] : (average ?? []))]);
}

function checkClasses(classes: readonly string[], heads: number): void {
  if (classes.length !== heads) refuse(`${classes.length} labels for a head of ${heads}`, 'classes');
  const seen = new Map<string, number>();
  for (const [index, name] of classes.entries()) {
    const other = seen.get(name);
    if (other !== undefined) refuse(`classes ${other} and ${index} are both "${name}"; labels must differ`, 'classes');
    seen.set(name, index);
  }
}

/** Looks for the newest checkpoint before this one whose weights are finite only when these are not. */
async function checkFinite(dir: string, step: number, tensors: ReadonlyMap<string, HostTensor>): Promise<void> {
  const found = firstNonFinite(tensors);
  if (!found) return;
  const finite = await lastFinite(dir, step);
  const offer = finite === null ? 'no earlier checkpoint is finite' : `export an earlier checkpoint (last finite: step-${finite})`;
  refuse(`${found.name}[${found.index}] is ${found.value}; ${offer}`, 'checkpoint');
}

function firstNonFinite(tensors: ReadonlyMap<string, HostTensor>): { name: string; index: number; value: number } | null {
  for (const [name, { data }] of tensors) {
    const index = data.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) return { name, index, value: data[index] as number };
  }
  return null;
}

async function lastFinite(dir: string, before: number): Promise<number | null> {
  const { model } = await readConfig(dir);
  const isLive = await readLineage(dir);
  const { checkpoints } = await listCheckpoints(dir);
  const earlier = checkpoints.filter((own) => own.step < before && isLive(own)).sort((a, b) => b.step - a.step);
  for (const { step } of earlier) {
    const { tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, step, model, isLive));
    if (firstNonFinite(tensors.parameters) === null) return step;
  }
  return null;
}

async function nameOf(dir: string, configured: string): Promise<ExportSource['run']> {
  const [status, { name }] = await Promise.all([readStatus(dir), readAnnotations(dir)]);
  return { id: status?.runId ?? '', name: name ?? configured };
}

async function resultsAt(dir: string, step: number, images: number | null): Promise<ExportSource['results']> {
  const isLive = await readLineage(dir);
  const records = (await readRecords(dir, 'epochs')).filter(isLive);
  const found = records.find((record) => record.step === step);
  if (!found || images === null || found.valTop1 == null) return null;
  const { valLoss = null, valTop1 = null, valTop5 = null } = found;
  return { set: 'validation', images, valLoss, valTop1, valTop5 };
}

function refuse(rule: string, field: string): never {
  throw new PreloraError('bad-arguments', rule, field);
}

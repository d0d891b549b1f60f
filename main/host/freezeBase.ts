/** The base of an adapter as of the freeze: the checkpoint that was written then, and which parameters have trained on since. */

import { parametersInPhase } from '../core/trainableSet.ts';
import type { Adapters, FreezeBase } from '../exchange/exportSource.ts';
import type { HostTensor } from '../model/init.ts';
import { PreloraError } from '../protocol/reply.ts';
import { listCheckpoints, loadCheckpointOrOffer } from '../store/checkpointFolder.ts';
import { readLineage } from '../store/runFolder.ts';
import { type RunState, restoreCheckpoint } from '../train/runState.ts';
import type { TensorState } from '../train/tensorState.ts';

/**
 * `weights` are what is exported of a checkpoint's tensors, the averaged ones or not. Throws `bad-arguments` before the freeze, `not-found`
 * when its checkpoint has been pruned.
 */
export async function freezeBase(
  dir: string,
  { step, phase: { phase, freezeStep }, config }: RunState,
  adapters: Adapters,
  weights: (tensors: TensorState, step: number) => Map<string, HostTensor>,
): Promise<FreezeBase> {
  if (phase !== 'lora' || freezeStep === null) {
    const rule = `checkpoint step-${step} is in phase ${phase}: nothing is frozen yet; use --base-weights checkpoint`;
    throw new PreloraError('bad-arguments', rule, 'baseWeights');
  }
  const isLive = await readLineage(dir);
  const { checkpoints } = await listCheckpoints(dir);
  if (!checkpoints.some((own) => own.step === freezeStep && isLive(own))) {
    const rule = `${dir}: checkpoint step-${freezeStep}, written at the freeze, is no longer there`;
    throw new PreloraError('not-found', `${rule}; use --base-weights checkpoint: base/ is then of step-${step}`, 'baseWeights');
  }
  const { tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, freezeStep, config.model, isLive));
  const ranks = Object.fromEntries([...adapters].map(([module, { rank }]) => [module, rank]));
  const base = parametersInPhase(config, 'lora', ranks).filter(({ role }) => role === 'base');
  const moved = new Set(base.filter(({ trainable }) => trainable).map(({ path }) => path));
  const exported = weights(tensors, freezeStep);
  // Where the freeze came with the switch, its checkpoint is the one before both, and still averages what then kept its own value.
  const parameters = base.map(({ path }) => [path, (moved.has(path) ? exported : tensors.parameters).get(path) as HostTensor] as const);
  return { step: freezeStep, parameters: new Map(parameters), moved };
}

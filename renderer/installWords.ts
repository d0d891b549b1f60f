/** How an install or a repair of an engine ended, in words: what is there now and what it means for the next run. */
import type { InstallOutcome } from '../main/protocol/results.ts';

export function installWords({ version, isNew, withoutKernels }: InstallOutcome, variant: 'cpu' | 'gpu'): string {
  // On a GPU our kernels would take the data off the device: nobody misses them there.
  const missing = variant === 'cpu' ? withoutKernels : null;
  if (isNew)
    return `TensorFlow ${version} is installed. New runs use it${missing === null ? '' : `, without our compute kernels: ${missing}`}.`;
  if (missing !== null)
    return `The compute kernels are not there: ${missing}. New runs use TensorFlow's own operations, which take longer.`;
  return variant === 'cpu'
    ? `The compute kernels for this processor are compiled. New runs use them.`
    : `TensorFlow ${version} was installed already.`;
}

export function repairWords(outcome: InstallOutcome, variant: 'cpu' | 'gpu'): string {
  if (outcome.isNew) return `It was damaged: ${installWords(outcome, variant)}`;
  const whole = `Every file of TensorFlow ${outcome.version} is what was installed: there was nothing to repair.`;
  return variant === 'cpu' && outcome.withoutKernels !== null ? `${whole} ${installWords(outcome, variant)}` : whole;
}

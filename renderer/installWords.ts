/** How an install of an engine ended, in words: what is there now and what it means for the next run. */
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

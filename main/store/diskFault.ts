/**
 * System errors of writing, as errors a user can act on: the disk is full, or the place cannot be written. Training pauses on
 * both and goes on once the cause is gone (reliability.md R4); every other error passes through unchanged.
 */
import { PreloraError } from '../protocol/reply.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const NOT_WRITABLE = new Set(['EROFS', 'EACCES', 'EPERM', 'EIO']);

/** The system's code of an error, such as `ENOENT`, or undefined when it has none. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** `error`, or the PreloraError (`disk-full`, `not-writable`) that says the same about `file`. For `throw diskFault(error, file)`. */
export function diskFault(error: unknown, file: string): unknown {
  const code = systemCode(error);
  if (code && FULL.has(code)) return new PreloraError('disk-full', `${file}: the disk is full (${code}); free some space and resume`);
  if (code && NOT_WRITABLE.has(code)) {
    return new PreloraError('not-writable', `${file}: cannot be written (${code}); check the folder's permissions and the disk`);
  }
  return error;
}

/** True for the two faults that pause a run and leave everything already on disk intact. */
export function isDiskFault(error: unknown): error is PreloraError {
  return error instanceof PreloraError && (error.code === 'disk-full' || error.code === 'not-writable');
}

/** Errors as data: what a request, a CLI command or a run ends with when it does not succeed. */

/** Every code an error may carry, with the CLI's exit status (architecture.md section 6). */
export const EXIT_STATUS = {
  'bad-arguments': 2,
  'bad-config': 2,
  'not-enough-snapshots': 2,
  'budget-unreachable': 2,
  'not-found': 2,
  busy: 2,
  'inexact-resume': 2,
  'unsafe-tensors': 3,
  'unsafe-bundle': 3,
  'data-not-found': 3,
  'data-unreadable': 3,
  'data-empty-class': 3,
  'data-one-class': 3,
  'data-class-mismatch': 3,
  'idx-magic': 3,
  'idx-length': 3,
  'idx-pair': 3,
  'cifar-length': 3,
  'cifar-pickle': 3,
  'tar-truncated': 3,
  'tar-sample': 3,
  'parquet-column': 3,
  'parquet-codec': 3,
  'label-range': 3,
  'data-too-many-broken': 3,
  'engine-unavailable': 4,
  'engine-install': 4,
  'engine-failed': 4,
  diverged: 5,
  'out-of-memory': 5,
  'disk-full': 5,
  'not-writable': 5,
  'checkpoint-damaged': 5,
  'run-damaged': 5,
  'trainer-exited': 5,
  'export-mismatch': 5,
  internal: 5,
  interrupted: 130,
} as const;
export type ErrorCode = keyof typeof EXIT_STATUS;

/** An error meant for the user: one sentence with field, value and rule; never a stack. */
export class PreloraError extends Error {
  override readonly name = 'PreloraError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Config path or argument the message is about, such as `train.lr`. */
    readonly field?: string,
  ) {
    super(message);
  }
}

export type Reply<T> = { ok: true; value: T } | { ok: false; error: { code: ErrorCode; message: string; field?: string } };

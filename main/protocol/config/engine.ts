/** `engine`: which compute library runs the steps, and how. */
import { z } from 'zod';
import { field } from './field.ts';

export const EngineConfig = z.strictObject({
  backend: field(
    z.enum(['auto', 'tensorflow', 'wasm', 'cpu']).default('auto'),
    'Backend',
    '–',
    'Compute library: auto takes the native one where it is installed, else wasm.',
  ),
  compiled: field(
    z.boolean().default(true),
    'Compiled step',
    '–',
    'Run the training step as one native graph where the backend can; off runs it operation by operation.',
  ),
  threads: field(
    z.number().int().min(1).max(1024).nullable().default(null),
    'Threads',
    'threads',
    'Threads inside an operation; empty takes all cores. Exact resume needs the same number.',
  ),
  xla: field(
    z.boolean().default(false),
    'XLA clustering',
    '–',
    'Let TensorFlow compile clusters of operations with XLA (native backend, compiled step).',
  ),
});

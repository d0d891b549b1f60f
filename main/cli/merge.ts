/** `prelora merge`: adapters into their weights, on a copy, and the proof that both compute the same. */
import { mergeCheckpoint, mergedFolder } from '../host/mergeCheckpoint.ts';
import { EXIT_STATUS } from '../protocol/reply.ts';
import { readConfig } from '../store/runFolder.ts';
import { readArguments } from './arguments.ts';
import { readCheckpoint } from './evaluate.ts';
import { type CommandIo, printJson } from './io.ts';
import { inNativeEnvironment } from './train.ts';

export const MERGE_USAGE = 'prelora merge DIR [--checkpoint last|best|STEP] [--out DIR] [--json]';

/** Exit status 0 when the merged weights compute the same, 5 when they do not. */
export async function mergeCommand(args: string[], io: CommandIo): Promise<number> {
  const options = { checkpoint: { type: 'string', default: 'last' }, out: { type: 'string' }, json: { type: 'boolean' } } as const;
  const { values, positionals } = readArguments(args, options, MERGE_USAGE, [1, 1]);
  const dir = positionals[0] as string;
  const checkpoint = readCheckpoint(values.checkpoint);
  const again = await inNativeEnvironment((await readConfig(dir)).engine, ['merge', ...args], io);
  if (again !== null) return again;
  const say = (message: string): void => void io.stderr.write(`${message}\n`);
  const report = await mergeCheckpoint({ dir, checkpoint, folder: values.out ?? mergedFolder(dir), say });
  if (values.json) printJson(io, report);
  else {
    const { step, adapters, images, largestDifference, limit, changedClasses, folder, isEqual } = report;
    const check = `logits of ${images} images: largest difference ${largestDifference.toExponential(1)} (limit ${limit.toExponential(1)})`;
    const verdict = isEqual ? 'equal' : `NOT equal, ${changedClasses} classes changed`;
    io.stdout.write(`step ${step}: ${adapters} adapters merged into ${folder}; ${check}: ${verdict}\n`);
  }
  return report.isEqual ? 0 : EXIT_STATUS.internal;
}

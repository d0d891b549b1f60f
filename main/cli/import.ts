/** `prelora import`: what a file or folder of start weights is, and the config that trains on from it. Only headers are read. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeStartWeights } from '../host/startWeights.ts';
import { PreloraError } from '../protocol/reply.ts';
import { formatYaml } from '../store/configFile.ts';
import { readArguments, readNumber } from './arguments.ts';
import { type CommandIo, printJson } from './io.ts';

export const IMPORT_USAGE = 'prelora import DIR_OR_FILE [--heads N] [--eps X] [--out FILE] [--json]';

export async function importCommand(args: string[], io: CommandIo): Promise<number> {
  const options = { heads: { type: 'string' }, eps: { type: 'string' }, out: { type: 'string' }, json: { type: 'boolean' } } as const;
  const { values, positionals } = readArguments(args, options, IMPORT_USAGE, [1, 1]);
  const source = path.resolve(positionals[0] as string);
  const { kind, model, notes } = await describeStartWeights(source);
  const numHeads = required('heads', 'number of attention heads', readNumber('heads', values.heads) ?? model.numHeads);
  const layerNormEps = required('eps', 'LayerNorm epsilon', readNumber('eps', values.eps) ?? model.layerNormEps);
  // The head follows the data: another count of classes gets a new one.
  const { numClasses, ...sizes } = model;
  const config = { model: { ...sizes, numHeads, layerNormEps, startFrom: source } };
  for (const note of notes) io.stderr.write(`${note}\n`);
  if (values.out !== undefined) await writeConfig(values.out, formatYaml(config));
  if (values.json) printJson(io, { kind, config, numClasses, notes });
  else if (values.out === undefined) io.stdout.write(formatYaml(config));
  else io.stdout.write(`${kind}, ${numClasses ?? 'no'} classes: prelora train --config ${values.out} --set data.source=…\n`);
  return 0;
}

function required(option: string, what: string, value: number | null): number {
  if (value !== null) return value;
  throw new PreloraError('bad-arguments', `${what}: the weights do not tell; give --${option}`, option);
}

async function writeConfig(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    throw new PreloraError('not-writable', `--out ${file}: ${(error as Error).message}`, 'out');
  }
}

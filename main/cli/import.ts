/**
 * `prelora import`: what a file or folder of start weights is, and the config that trains on from it (only headers are read); the config that
 * timm's `args.yaml` becomes, with what was taken, worked out and left out; or a run bundle, which becomes a run. Told by content.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseConfig } from '../core/resolveConfig.ts';
import { configFromTimm, isTimmArgs } from '../exchange/timmArgs.ts';
import { importBundle } from '../host/importBundle.ts';
import { RunCatalog } from '../host/runCatalog.ts';
import { describeStartWeights } from '../host/startWeights.ts';
import { PreloraError } from '../protocol/reply.ts';
import { isBundle } from '../store/bundleReading.ts';
import { formatYaml, readConfigFile } from '../store/configFile.ts';
import { runsRoot } from '../store/paths.ts';
import { readArguments, readNumber } from './arguments.ts';
import { type CommandIo, printJson } from './io.ts';

export const IMPORT_USAGE =
  'prelora import DIR_OR_FILE [--heads N] [--eps X] | ARGS_YAML [--processes N] [--strict] [--out FILE] [--json] | RUN.prelora.zip [--json]';

export async function importCommand(args: string[], io: CommandIo): Promise<number> {
  const options = {
    heads: { type: 'string' },
    eps: { type: 'string' },
    processes: { type: 'string' },
    strict: { type: 'boolean' },
    out: { type: 'string' },
    json: { type: 'boolean' },
  } as const;
  const { values, positionals } = readArguments(args, options, IMPORT_USAGE, [1, 1]);
  const source = path.resolve(positionals[0] as string);
  if (/\.ya?ml$/i.test(source)) return importTimm(source, { ...values, processes: readNumber('processes', values.processes) ?? 1 }, io);
  if (await isBundle(source)) return importRun(source, values, io);
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

interface TimmValues {
  processes: number;
  strict?: boolean | undefined;
  out?: string | undefined;
  json?: boolean | undefined;
}

async function importTimm(source: string, { processes, strict, out, json }: TimmValues, io: CommandIo): Promise<number> {
  const given = await readConfigFile(source);
  if (!isTimmArgs(given)) throw new PreloraError('bad-config', `${source}: is no args.yaml of timm: it has no model and batch_size`);
  const { config, taken, computed, dropped } = configFromTimm(given, { processes });
  if (strict && dropped.length > 0) {
    throw new PreloraError('bad-config', `${source}: without counterpart: ${dropped.join(', ')}; leave --strict out to drop them`);
  }
  parseConfig(config); // what is outside our ranges is told now, by field
  for (const [word, list] of Object.entries({ taken, computed, dropped })) for (const line of list) io.stderr.write(`${word}: ${line}\n`);
  if (out !== undefined) await writeConfig(out, formatYaml(config));
  if (json) printJson(io, { kind: 'timm', config, taken, computed, dropped });
  else if (out === undefined) io.stdout.write(formatYaml(config));
  else io.stdout.write(`${dropped.length} arguments dropped: prelora train --config ${out} --set data.source=…\n`);
  return 0;
}

/** Into the folder of runs, wherever that is on this machine. */
async function importRun(source: string, { json, ...others }: Record<string, unknown>, io: CommandIo): Promise<number> {
  const [foreign] = Object.keys(others);
  if (foreign !== undefined) throw new PreloraError('bad-arguments', `--${foreign}: means nothing for a run bundle`, foreign);
  const { runId, name, folder, notes } = await importBundle(new RunCatalog(runsRoot()), source, { signal: io.signal });
  for (const note of notes) io.stderr.write(`${note}\n`);
  if (json) printJson(io, { kind: 'bundle', runId, name, folder, notes });
  else io.stdout.write(`${folder}\n`);
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

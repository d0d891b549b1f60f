/** `prelora diagnose`: what to send along with a report of a fault, as a zip, or on stdout to read it first. */
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { collectDiagnostics, diagnosticsFileName, zipDiagnostics } from '../host/diagnostics/diagnostics.ts';
import { PreloraError } from '../protocol/reply.ts';
import { dataRoot } from '../store/paths.ts';
import { readArguments } from './arguments.ts';
import { type CommandIo, printJson } from './io.ts';

export const DIAGNOSE_USAGE = 'prelora diagnose [RUN] [--out FILE.zip] [--print] [--json]';

export async function diagnoseCommand(args: string[], io: CommandIo): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = readArguments(args, { out: { type: 'string' }, print: flag, json: flag }, DIAGNOSE_USAGE, [0, 1]);
  const runDir = await runFolder(positionals[0]);
  const files = await collectDiagnostics({ dataRoot: dataRoot(), runDir, host: 'command line' });
  if (values.print) {
    for (const { name, text } of files) io.stdout.write(`==> ${name} <==\n${text}\n\n`);
    return 0;
  }
  const file = path.resolve(values.out ?? diagnosticsFileName(new Date()));
  await writeFile(file, zipDiagnostics(files)).catch((error: NodeJS.ErrnoException) => {
    throw new PreloraError('not-writable', `--out ${file}: ${error.message}`, 'out');
  });
  if (values.json) printJson(io, { file, files: files.map(({ name, text }) => ({ name, characters: text.length })) });
  else io.stdout.write(`${file}\n`);
  io.stderr.write(`${files.map(({ name }) => name).join(', ')}: names and paths are masked; --print shows all of it. Nothing is sent.\n`);
  return 0;
}

async function runFolder(given: string | undefined): Promise<string | null> {
  if (given === undefined) return null;
  const found = await stat(given).catch(() => null);
  if (found?.isDirectory()) return path.resolve(given);
  throw new PreloraError('not-found', `${given}: no such run folder`);
}

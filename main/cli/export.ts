/**
 * `prelora export`: a checkpoint as a folder for Hugging Face, PEFT, timm or ONNX, and the proof that it computes the same;
 * or a run's records, or the run itself as one file.
 */
import path from 'node:path';
import { writeLayersCsv } from '../exchange/layersCsv.ts';
import { writeTensorBoard } from '../exchange/tensorboardLog.ts';
import { exportCheckpoint } from '../host/exportCheckpoint.ts';
import { BundleWeights } from '../protocol/bundle.ts';
import { ExportFormat, type ExportReport, ExportSettings } from '../protocol/exports.ts';
import { EXIT_STATUS, PreloraError } from '../protocol/reply.ts';
import { writeBundle } from '../store/bundleWriting.ts';
import { readConfig } from '../store/runFolder.ts';
import { readArguments } from './arguments.ts';
import { readCheckpoint } from './evaluate.ts';
import { type CommandIo, printJson } from './io.ts';
import { inNativeEnvironment } from './train.ts';

const MODEL_OPTIONS =
  '[--checkpoint best|last|STEP] [--verify] [--names both|classic|renamed] [--base-weights checkpoint|freeze] [--peft-base hf|timm] [--with-merged] [--weights evaluated|trained|average]';
export const EXPORT_USAGE = `prelora export RUN --to hf|peft|timm|onnx --out DIR ${MODEL_OPTIONS} [--force] [--json]
prelora export RUN --to tensorboard --out DIR [--json]
prelora export RUN --to bundle --out FILE.prelora.zip [--weights none|best|all] [--json]`;

const TENSORBOARD = 'tensorboard';
const BUNDLE = 'bundle';
const LAYERS_FILE = 'layers.csv';

/** Exit status 0, or 5 with code `export-mismatch` when the folder does not hold what was exported. */
export async function exportCommand(args: string[], io: CommandIo): Promise<number> {
  const options = {
    to: { type: 'string' },
    out: { type: 'string' },
    checkpoint: { type: 'string', default: 'best' },
    names: { type: 'string' },
    weights: { type: 'string' },
    'base-weights': { type: 'string' },
    'peft-base': { type: 'string' },
    'with-merged': { type: 'boolean' },
    verify: { type: 'boolean' },
    force: { type: 'boolean' },
    json: { type: 'boolean' },
  } as const;
  const { values, positionals } = readArguments(args, options, EXPORT_USAGE, [1, 1]);
  const dir = positionals[0] as string;
  if (values.out === undefined) throw new PreloraError('bad-arguments', '--out: must be given', 'out');
  if (values.to === BUNDLE) return exportBundle(dir, path.resolve(values.out), values, io);
  if (values.to === TENSORBOARD) return exportRecords(dir, path.resolve(values.out), values.json === true, io);
  const settings = readSettings(values);
  const again = await inNativeEnvironment((await readConfig(dir)).engine, ['export', ...args], io);
  if (again !== null) return again;
  const say = (message: string): void => void io.stderr.write(`${message}\n`);
  const report = await exportCheckpoint({ dir, checkpoint: settings.checkpoint, out: path.resolve(values.out), settings, say });
  return tell(report, values.json === true, io);
}

/** The records and not a model: event files for TensorBoard, and the layers' figures as a table. */
async function exportRecords(dir: string, out: string, json: boolean, io: CommandIo): Promise<number> {
  const { files, events, skipped } = await writeTensorBoard(dir, out);
  const table = path.join(out, LAYERS_FILE);
  const { rows } = await writeLayersCsv(dir, table);
  for (const checkpoint of skipped) io.stderr.write(`${checkpoint}\n`);
  if (json) printJson(io, { files: [...files, table], events, rows });
  else io.stdout.write(`${events} events, ${rows} rows of ${LAYERS_FILE}: tensorboard --logdir ${out}\n`);
  return 0;
}

/** The run as one file, for another machine. */
async function exportBundle(dir: string, file: string, { weights: asked = 'best', json }: Values, io: CommandIo): Promise<number> {
  const weights = BundleWeights.safeParse(asked);
  if (!weights.success) {
    throw new PreloraError('bad-arguments', `--weights ${asked}: of a bundle ${BundleWeights.options.join(', ')}`, 'weights');
  }
  const written = await writeBundle(dir, file, { weights: weights.data, signal: io.signal });
  for (const note of written.notes) io.stderr.write(`${note}\n`);
  if (json) printJson(io, written);
  else {
    const steps = written.steps.length === 0 ? 'no checkpoint' : `checkpoints of steps ${written.steps.join(', ')}`;
    io.stdout.write(`${written.file}: ${(written.bytes / 2 ** 20).toFixed(1)} MiB, ${steps}\n`);
  }
  return 0;
}

interface Values {
  to?: string | undefined;
  names?: string | undefined;
  weights?: string | undefined;
  checkpoint: string;
  'base-weights'?: string | undefined;
  'peft-base'?: string | undefined;
  'with-merged'?: boolean | undefined;
  verify?: boolean | undefined;
  force?: boolean | undefined;
  json?: boolean | undefined;
}

/** Throws `bad-arguments` naming the option. */
function readSettings(values: Values): ExportSettings {
  const { to, names, weights, checkpoint, 'base-weights': baseWeights, 'peft-base': peftBase, verify, force } = values;
  if (to === undefined || !ExportFormat.safeParse(to).success) {
    throw new PreloraError(
      'bad-arguments',
      `--to ${to ?? 'is missing'}: only ${ExportFormat.options.join(', ')} (fp32), ${TENSORBOARD} for the records, and ${BUNDLE} for the run`,
      'to',
    );
  }
  const given = {
    format: to,
    names,
    weights,
    checkpoint: readCheckpoint(checkpoint),
    baseWeights,
    peftBase,
    withMerged: values['with-merged'],
    verify: verify ?? false,
    force,
  };
  const parsed = ExportSettings.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = String(issue?.path[0]);
  const option = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new PreloraError('bad-arguments', `--${option}: ${issue?.message}`, field);
}

function tell(report: ExportReport, json: boolean, io: CommandIo): number {
  const { checks, files, folder, step, phase, status } = report;
  if (json) printJson(io, report);
  else {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const marks = { passed: '✓', failed: '✗', notRun: '–' };
    for (const { id, what, detail, status: own } of checks) io.stdout.write(`${marks[own]} ${id} ${what}: ${detail}\n`);
    io.stdout.write(`step ${step} (${phase}), ${files.length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB: ${folder}\n`);
  }
  if (status !== 'failed') return 0;
  const failed = checks.filter((check) => check.status === 'failed').map(({ id, detail }) => `${id}: ${detail}`);
  io.stderr.write(`prelora: export-mismatch: ${failed.join('; ')}; the folder is kept as ${folder}\n`);
  return EXIT_STATUS['export-mismatch'];
}

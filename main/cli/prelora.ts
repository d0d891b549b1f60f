/**
 * The command line (architecture.md section 6): a table of commands, one place for errors and exit statuses. Results go to stdout, progress
 * and messages to stderr; with --json stdout holds one JSON object and nothing else.
 */
import { EXIT_STATUS, PreloraError } from '../protocol/reply.ts';
import { BENCH_USAGE, benchCommand } from './bench.ts';
import { COMPARE_USAGE, compareCommand } from './compare.ts';
import { DIAGNOSE_USAGE, diagnoseCommand } from './diagnose.ts';
import { ENGINE_USAGE, engineCommand } from './engine.ts';
import { ESTIMATE_USAGE, estimateCommand } from './estimate.ts';
import { EVAL_USAGE, evalCommand } from './evaluate.ts';
import { EXPORT_USAGE, exportCommand } from './export.ts';
import { IMPORT_USAGE, importCommand } from './import.ts';
import type { CommandIo } from './io.ts';
import { MERGE_USAGE, mergeCommand } from './merge.ts';
import { CONFIG_USAGE, configCommand, PRESETS_USAGE, presetsCommand } from './presets.ts';
import { REPLAY_USAGE, replayCommand } from './replay.ts';
import { SERVE_USAGE, serveCommand } from './serve.ts';
import { STUDY_USAGE, studyCommand } from './study.ts';
import { RESUME_USAGE, resumeCommand, TRAIN_USAGE, trainCommand } from './train.ts';

interface Command {
  usage: string;
  does: string;
  run: (args: string[], io: CommandIo) => Promise<number>;
}

const COMMANDS: Record<string, Command> = {
  train: { usage: TRAIN_USAGE, does: 'trains a whole run', run: trainCommand },
  resume: { usage: RESUME_USAGE, does: 'continues a run exactly', run: resumeCommand },
  eval: { usage: EVAL_USAGE, does: 'validation metrics of a checkpoint', run: evalCommand },
  merge: { usage: MERGE_USAGE, does: 'adapters into their weights, on a copy, checked', run: mergeCommand },
  replay: { usage: REPLAY_USAGE, does: 'what-if on recorded snapshots', run: replayCommand },
  compare: { usage: COMPARE_USAGE, does: 'runs side by side', run: compareCommand },
  study: { usage: STUDY_USAGE, does: 'one recipe as several variants, each with several random seeds', run: studyCommand },
  estimate: { usage: ESTIMATE_USAGE, does: 'what a config would cost: parameters, memory, speed', run: estimateCommand },
  export: {
    usage: EXPORT_USAGE,
    does: 'a checkpoint as a folder for Hugging Face, PEFT, timm or ONNX, checked; records for TensorBoard; the run as one file',
    run: exportCommand,
  },
  import: {
    usage: IMPORT_USAGE,
    does: 'a config that starts from weights of Hugging Face, timm or a run; a run out of a bundle',
    run: importCommand,
  },
  serve: { usage: SERVE_USAGE, does: 'browser mode: the workbench in a browser, here or through a tunnel', run: serveCommand },
  engine: { usage: ENGINE_USAGE, does: 'native compute engines of this machine', run: engineCommand },
  bench: { usage: BENCH_USAGE, does: 'measures this machine, against PyTorch where it is there', run: benchCommand },
  diagnose: { usage: DIAGNOSE_USAGE, does: 'a zip to send along with a report of a fault, masked', run: diagnoseCommand },
  presets: { usage: PRESETS_USAGE, does: 'lists the presets', run: presetsCommand },
  config: { usage: CONFIG_USAGE, does: 'the JSON Schema of a config, or a table of its fields', run: configCommand },
};

/** Runs one command and gives back its exit status; never throws. The first SIGINT stops cleanly, a second one at once. */
export async function main(argv: string[]): Promise<number> {
  const abort = new AbortController();
  const onSignal = (): void => {
    if (abort.signal.aborted) process.exit(EXIT_STATUS.interrupted);
    abort.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await runCommand(argv, { stdout: process.stdout, stderr: process.stderr, signal: abort.signal });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** As `main`, with the outside handed in. */
export async function runCommand([name, ...args]: string[], io: CommandIo): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.stdout.write(`${helpText()}\n`);
    return 0;
  }
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new PreloraError('bad-arguments', `unknown command ${name}; there are ${Object.keys(COMMANDS).join(', ')}`);
    if (args.includes('--help') || args.includes('-h')) {
      io.stdout.write(`${command.usage}\n  ${command.does}\n`);
      return 0;
    }
    return await command.run(args, io);
  } catch (error) {
    return reportError(error, args.includes('--json'), io);
  }
}

function helpText(): string {
  const lines = Object.values(COMMANDS).map(({ usage, does }) => `  ${usage}\n      ${does}`);
  return `prelora: pre-train Vision Transformers with PreLoRA\n\n${lines.join('\n')}`;
}

/** Expected errors are one sentence; anything else is a fault of the program and shows its stack. */
function reportError(error: unknown, json: boolean, io: CommandIo): number {
  const known = error instanceof PreloraError;
  const code = known ? error.code : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  io.stderr.write(`prelora: ${known ? message : ((error as Error)?.stack ?? message)}\n`);
  if (json) {
    const field = known && error.field !== undefined ? { field: error.field } : {};
    io.stdout.write(`${JSON.stringify({ error: { code, message, ...field } })}\n`);
  }
  return EXIT_STATUS[code];
}

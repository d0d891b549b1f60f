/** `prelora replay`: what the switch rule would have done with recorded snapshots under other settings. Trains nothing. */
import type { ReplayResult } from '../core/replay.ts';
import { type ReplayChanges, readRecorded, replayRecorded } from '../host/replayRun.ts';
import { readArguments, readNumber } from './arguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';

export const REPLAY_USAGE =
  'prelora replay FILE_OR_RUN [--tau N] [--zeta N] [--window N] [--r-min N] [--r-max N] [--rank-pool overall|family] [--rank-metric weight|grad] [--norm-metric norm|displacement] [--json]';

export async function replayCommand(args: string[], io: CommandIo): Promise<number> {
  const text = { type: 'string' } as const;
  const options = {
    tau: text,
    zeta: text,
    window: text,
    'r-min': text,
    'r-max': text,
    'rank-pool': text,
    'rank-metric': text,
    'norm-metric': text,
    json: { type: 'boolean' },
  } as const;
  const { values, positionals } = readArguments(args, options, REPLAY_USAGE, [1, 1]);
  const changes: ReplayChanges = defined({
    tau: readNumber('tau', values.tau),
    zeta: readNumber('zeta', values.zeta),
    windowSize: readNumber('window', values.window),
    rMin: readNumber('r-min', values['r-min']),
    rMax: readNumber('r-max', values['r-max']),
    rankPool: values['rank-pool'],
    rankMetric: values['rank-metric'],
    normMetric: values['norm-metric'],
  });
  const result = replayRecorded(await readRecorded(positionals[0] as string), changes);
  if (values.json) {
    const { switchStep, windows, ranks } = result;
    printJson(io, { switchStep, windows, ranks });
  } else io.stdout.write(`${describe(result)}\n`);
  return 0;
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

function describe({ switchStep, windows, ranks, report }: ReplayResult): string {
  const families = Object.keys(windows[0]?.families ?? {});
  const percent = (value: number): string => value.toPrecision(4);
  const rows = windows.map(({ step, families: changes, lossChange, weightsOk, lossOk }) => [
    String(step),
    ...families.map((family) => percent(changes[family as keyof typeof changes] ?? Number.NaN)),
    percent(lossChange),
    weightsOk ? 'yes' : 'no',
    lossOk ? 'yes' : 'no',
  ]);
  const table = formatTable(['step', ...families.map((family) => `Δ ${family} %`), 'Δ loss %', 'weights', 'loss'], rows);
  const verdict = switchStep === null ? `no switch: ${report.words}` : `switch at step ${switchStep}: ${report.words}`;
  const plan = Object.entries(ranks).map(([module, rank]) => `  ${module} ${rank}`);
  return [table, verdict, ...plan].join('\n');
}

/** Progress of a run for people: one line kept up to date on a terminal, a line per epoch and event elsewhere. */
import type { EpochRecord, EventRecord, MetricsRecord } from '../protocol/records.ts';
import type { TrainingRun } from '../train/loop.ts';
import type { RunListener } from '../train/recorder.ts';
import type { CommandIo } from './io.ts';

/** Events that are worth a line; the rest is in events.jsonl. */
const TOLD: Record<string, (detail: EventRecord['detail']) => string> = {
  started: ({ parameters, backend, version, why }) =>
    `${Number(parameters).toLocaleString('en')} parameters on ${backend} ${version}: ${why}`,
  resumed: ({ backend, version }) => `resumed on ${backend} ${version}`,
  'switch-planned': ({ words, dueStep }) => `partial convergence ${words}; switch at step ${dueStep}`,
  switched: ({ adapterParameters, share }) =>
    `switched to joint warm-up: ${Number(adapterParameters).toLocaleString('en')} adapter parameters; ${Number(share).toFixed(2)} % will train after the freeze`,
  'optimizer-reset': () => 'optimizer reset (control resetOnly)',
  frozen: () => 'frozen: LoRA phase',
  ready: ({ words }) => `ready to switch: ${words}`,
  'switch-too-late': ({ words }) => `the test passed too late to switch: ${words}`,
  diverged: ({ tensor, update }) => `diverged: ${tensor} is not finite at update ${update}; it was not applied`,
  'early-stop': ({ patience }) => `stopped early: no better validation top-1 in ${patience} evaluations`,
  'latest-end': ({ latestEnd }) => `ended: another epoch would not fit before ${latestEnd}`,
  slept: ({ seconds }) => `the machine slept ${duration(Number(seconds))}`,
  'disk-low': ({ freeBytes }) =>
    `the disk fills up: ${(Number(freeBytes) / 2 ** 20).toFixed(0)} MiB free, another two checkpoints do not fit`,
  'images-replaced': ({ replaced }) => `${(replaced as unknown[]).length} unreadable images were replaced by others of their class`,
  'tensorboard-stopped': ({ message }) => `no more event files for TensorBoard: ${message}`,
};

/** Writes to stderr. */
export function progressListener(run: TrainingRun, { stderr }: CommandIo): RunListener {
  const isTerminal = stderr.isTTY === true;
  const say = (line: string): void => void stderr.write(isTerminal ? `\r\x1b[K${line}\n` : `${line}\n`);
  let shownAt = 0;
  return {
    event: ({ kind, step, detail }) => {
      const words = TOLD[kind];
      if (words) say(`step ${step}: ${words(detail)}`);
    },
    epoch: (record) => say(epochLine(record, run)),
    metrics: (record) => {
      const now = performance.now();
      if (!isTerminal || now - shownAt < 200) return;
      shownAt = now;
      stderr.write(`\r\x1b[K${stepLine(record, run).slice(0, (stderr.columns ?? 120) - 1)}`);
    },
  };
}

function stepLine({ step, loss, imagesPerSecond, phase }: MetricsRecord, run: TrainingRun): string {
  const { totalSteps, stepsPerEpoch } = run.state;
  const epochs = `epoch ${Math.ceil(step / stepsPerEpoch)}/${Math.ceil(totalSteps / stepsPerEpoch)}`;
  const seconds = run.secondsLeft;
  const left = seconds === null ? 'estimating …' : `${duration(seconds)} left`;
  return `${phase} · ${epochs} · step ${step}/${totalSteps} · loss ${loss?.toFixed(4)} · ${imagesPerSecond?.toFixed(0)} img/s · ${left}`;
}

function epochLine({ epoch, phase, trainLoss, valLoss, valTop1, valTop5, imagesPerSecond }: EpochRecord, run: TrainingRun): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const validation = valTop1 === null ? '' : ` · val loss ${valLoss?.toFixed(4)} top-1 ${percent(valTop1)} top-5 ${percent(valTop5 ?? 0)}`;
  const { totalSteps, stepsPerEpoch } = run.state;
  const epochs = Math.ceil(totalSteps / stepsPerEpoch);
  return `epoch ${epoch}/${epochs} ${phase} · train loss ${trainLoss?.toFixed(4)}${validation} · ${imagesPerSecond?.toFixed(0)} img/s`;
}

/** Two units at most: 45 s, 12 min, 1 h 40 min. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

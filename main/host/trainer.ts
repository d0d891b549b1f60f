/**
 * The trainer's side of the contract with the host: starts or resumes one run, hands commands to its queue, tells what happens. Knows no
 * thread and no process: port and exit are handed in. The training itself is train/loop.ts.
 */
import type { EventRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { HandlersOf } from '../protocol/requests.ts';
import type { StatusFile } from '../protocol/run.ts';
import { CommandQueue, type RunCommand } from '../train/commands.ts';
import type { TrainingRun } from '../train/loop.ts';
import type { RunListener } from '../train/recorder.ts';
import { resumeRun, type StartRunOptions, startRun } from '../train/startRun.ts';
import { evaluateCheckpoint, predictWithCheckpoint } from './evaluateCheckpoint.ts';
import { exportCheckpoint } from './exportCheckpoint.ts';
import { measurePhase } from './measurePhase.ts';
import { mergeCheckpoint } from './mergeCheckpoint.ts';
import type { Port } from './port.ts';
import { push, serveRequests } from './rpc.ts';
import { readStartWeights } from './startWeights.ts';
import { type TrainerEvents, trainerRequests } from './trainerContract.ts';

/** The host hears of progress at most this often; it reads the records themselves from the files. */
const PROGRESS_MS = 50;

/** What commands change: told at once, so that it is known before their answer. */
const NEWS = ['status', 'phase', 'segment', 'totalSteps'] as const;

/** Serves the host until the run has ended or the host is gone, then calls `exit`. */
export function serveTrainer(port: Port, exit: () => void): void {
  const commands = new CommandQueue();
  const tell = <K extends keyof TrainerEvents>(event: K, payload: TrainerEvents[K]): void => push<TrainerEvents, K>(port, event, payload);
  const options: StartRunOptions = {
    commands,
    listener: progressListener(tell),
    say: (message) => tell('said', { message }),
    readStartWeights,
  };
  let isRunning = false;

  const begin = (run: TrainingRun): { runId: string; dir: string } => {
    isRunning = true;
    void trainToEnd(run, commands).then((ended) => {
      tell('ended', ended);
      // The message has to leave this process first.
      setImmediate(exit);
    });
    return { runId: run.options.store.runId, dir: run.options.store.dir };
  };

  const handlers: HandlersOf<typeof trainerRequests> = {
    start: async ({ config, dir, isAttended }) => begin(await startRun(config, dir, { ...options, isAttended })),
    async resume({ dir, first, isAttended }) {
      const run = await resumeRun(dir, { ...options, isAttended });
      // Refusals of these reach the journal and the status; nobody waits for them here.
      for (const command of first) commands.push(command).catch((error: unknown) => tell('said', { message: String(error) }));
      return begin(run);
    },
    command: ({ command }) => commands.push(command),
    evaluateCheckpoint: ({ dir, checkpoint }) => evaluateCheckpoint(dir, checkpoint, (message) => tell('said', { message })),
    predictCheckpoint: ({ dir, checkpoint, patches }) => predictWithCheckpoint(dir, checkpoint, patches),
    mergeCheckpoint: ({ dir, checkpoint, folder }) =>
      mergeCheckpoint({ dir, checkpoint, folder, say: (message) => tell('said', { message }) }),
    exportCheckpoint: (asked) => exportCheckpoint({ ...asked, say: (message) => tell('said', { message }) }),
    measurePhase: (options) => measurePhase(options),
  };
  serveRequests(port, trainerRequests, handlers, (where, error) => console.error(`trainer: ${where}:`, error));
  // Without a host nobody can stop the run any more, so it stops itself, with a checkpoint.
  port.onClose(() => {
    if (isRunning) commands.push({ kind: 'stop' } satisfies RunCommand).catch(() => {});
    else exit();
  });
}

/** Runs the loop, which records a fault in the run's folder; the host hears of it too. */
async function trainToEnd(run: TrainingRun, commands: CommandQueue): Promise<TrainerEvents['ended']> {
  const { store } = run.options;
  try {
    return { end: await run.run(), message: run.message };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof PreloraError)) console.error('trainer: the run failed:', error);
    return { end: 'failed', message };
  } finally {
    commands.close();
    store.close();
  }
}

/** Turns the loop's many small calls into few messages: the first at once, later ones together. */
function progressListener(tell: <K extends keyof TrainerEvents>(event: K, payload: TrainerEvents[K]) => void): RunListener {
  let status: StatusFile | null = null;
  let activity = 'starting';
  let toldAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | null = null;

  const tellNow = (): void => {
    if (timer) clearTimeout(timer);
    timer = null;
    toldAt = performance.now();
    tell('progress', { status, activity });
  };
  const changed = (): void => {
    if (performance.now() - toldAt >= PROGRESS_MS) tellNow();
    // While the loop is busy this fires late, but then the next call tells anyway.
    else timer ??= setTimeout(tellNow, PROGRESS_MS);
  };
  return {
    metrics() {
      if (activity === 'starting') activity = 'training';
      changed();
    },
    epoch: changed,
    snapshot: changed,
    event(record) {
      const proposal = proposalOf(record);
      if (proposal) tell('proposed', proposal);
      changed();
    },
    status(next) {
      const isNews = !status || NEWS.some((field) => status?.[field] !== next[field]);
      status = next;
      if (isNews) tellNow();
      else changed();
    },
    activity(text) {
      activity = text;
      changed();
    },
  };
}

/** The journal's two ways of saying "look at this before it happens". */
function proposalOf({ kind, step, detail }: EventRecord): TrainerEvents['proposed'] | null {
  if (kind === 'ready') return { step, dueStep: null };
  if (kind === 'switch-planned' && typeof detail.dueStep === 'number' && detail.dueStep > step) return { step, dueStep: detail.dueStep };
  return null;
}

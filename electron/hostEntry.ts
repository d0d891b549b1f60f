/**
 * All that runs in the utility process: its parent port as a Port, the engine host behind it. Trainers are worker threads here, because a
 * packaged Electron may not start Node (fuse runAsNode).
 */
import { openHostLog } from '../main/host/diagnostics/hostLog.ts';
import { EngineHost } from '../main/host/engineHost.ts';
import { launchTrainerThread } from '../main/host/launchTrainer.ts';
import { messageEventPort, type Port } from '../main/host/port.ts';
import { push, withTextReplies } from '../main/host/rpc.ts';
import { serveSession } from '../main/host/session.ts';
import type { Presence, ShellEvents } from '../main/protocol/events.ts';
import type { StatusFile } from '../main/protocol/run.ts';
import { dataRoot } from '../main/store/paths.ts';
import type { LostRun } from './engineProcess.ts';

/** Progress bars and titles need no more. */
const PRESENCE_MS = 1000;
const LOST = '--lost=';
/** What is told at once. */
const NEWS = ['runId', 'status', 'switchStep', 'isDiskLow'] as const;

const { parentPort } = process;
const shell = messageEventPort(parentPort);
let frames: Port = shell;

const log = openHostLog(dataRoot(), (message) => console.error(message));
const host = new EngineHost({ kind: 'desktop', launch: launchTrainerThread, log });
recordLostRun();
serveSession(host, withTextReplies(shell), () => frames);
host.queue.open().catch((error: unknown) => log(`the queue cannot be opened: ${error}`));
host.installer.prepareKernels().catch((error: unknown) => log(`the compute kernels: ${error instanceof Error ? error.message : error}`));
host.trashTidying.start();
tellPresence();

parentPort.on('message', ({ data, ports }) => {
  if (typeof data === 'object' && 'slept' in data) host.slept(Number(data.slept));
  if (data === 'workbench:close') void host.close().then(() => process.exit(0));
  const [port] = ports;
  if (data === 'workbench:frames' && port) {
    frames = messageEventPort(port, (listener) => port.on('close', listener));
    // The page is gone or reloads: its next port follows, and until then frames take the long way.
    frames.onClose(() => {
      frames = shell;
    });
  }
});

/** The run that died with the process before this one, as the shell tells (engineProcess.ts). Before the queue may go on with it. */
function recordLostRun(): void {
  const lost = process.argv.find((argument) => argument.startsWith(LOST))?.slice(LOST.length);
  if (lost === undefined) return;
  const { runId, ...death } = JSON.parse(lost) as LostRun;
  void host.recordLoss(runId, death);
}

/** Tells the shell of the live run: news at once, progress once a second. */
function tellPresence(): void {
  let told: Presence | null = null;
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = (presence: Presence | null): void => {
    told = presence;
    toldAt = performance.now();
    push<ShellEvents, 'host:presence'>(shell, 'host:presence', presence);
  };
  host.listen({
    push() {},
    runChanged(runId) {
      const live = host.liveRun(runId);
      const presence = live?.status ? presenceOf(runId, live.status, live.etaSeconds) : null;
      const isNews = NEWS.some((field) => presence?.[field] !== told?.[field]);
      if (isNews || performance.now() - toldAt >= PRESENCE_MS) tell(presence);
    },
  });
}

function presenceOf(runId: string, file: StatusFile, etaSeconds: number | null): Presence {
  const { name, status, phase, step, totalSteps, switchStep, best, message, disk } = file;
  return { runId, name, status, phase, step, totalSteps, etaSeconds, switchStep, best, message, isDiskLow: disk?.isLow ?? false };
}

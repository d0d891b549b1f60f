/** `prelora serve`: browser mode, until it is interrupted. Runs are stopped with a checkpoint then. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { openHostLog } from '../host/diagnostics/hostLog.ts';
import { EngineHost } from '../host/engineHost.ts';
import { launchTrainerProcess } from '../host/launchTrainer.ts';
import { serveSession } from '../host/session.ts';
import { EXIT_STATUS, PreloraError } from '../protocol/reply.ts';
import { startServer } from '../server/server.ts';
import { dataRoot, resourcesFolder } from '../store/paths.ts';
import { readArguments, readNumber } from './arguments.ts';
import type { CommandIo } from './io.ts';

export const SERVE_USAGE = 'prelora serve [--port N] [--host ADDRESS] [--token TEXT] [--page FOLDER]';

const DEFAULT_PORT = 7363;

/** Prints the address on stdout and runs until the signal. Throws `bad-arguments`. */
export async function serveCommand(args: string[], io: CommandIo): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = readArguments(args, { port: text, host: text, token: text, page: text }, SERVE_USAGE, [0, 0]);
  const log = openHostLog(dataRoot(), (message) => io.stderr.write(`${message}\n`));
  const host = new EngineHost({ kind: 'browser', launch: launchTrainerProcess, log });
  const server = await startServer({
    page: values.page ?? builtPage(),
    host: values.host ?? '127.0.0.1',
    port: readPort(values.port),
    token: values.token ?? null,
    onPage: (port) => void serveSession(host, port),
  });
  await host.queue.open();
  host.trashTidying.start();
  host.installer.prepareKernels().catch((error: unknown) => log(`the compute kernels: ${error instanceof Error ? error.message : error}`));
  io.stdout.write(`${server.address}\n`);
  io.stderr.write('PreLoRA Workbench is served at this address; Ctrl+C ends it, a running run writes a checkpoint first.\n');
  await interrupted(io.signal);
  await host.close();
  await server.close();
  return EXIT_STATUS.interrupted;
}

function readPort(text: string | undefined): number {
  const port = readNumber('port', text) ?? DEFAULT_PORT;
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new PreloraError('bad-arguments', `--port ${text}: must be a whole number from 0 to 65535`, 'port');
}

function builtPage(): string {
  const folder = path.join(resourcesFolder(), '..', 'dist', 'renderer');
  if (existsSync(path.join(folder, 'index.html'))) return folder;
  throw new PreloraError('bad-arguments', `${folder}: the page is not built; run "npm run build" first`, 'page');
}

function interrupted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * Processes that must not outlive the test which started them. A finished test ends them by their group; a screen also ends when the tests'
 * own process dies without a word, and whatever is shown on it ends with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** Groups that are alive, to end with this process when a test has failed before its teardown could know of them. */
const groups = new Set<number>();
process.once('exit', () => {
  for (const group of groups) killGroup(group);
});

/** Remembers a process that was started `detached`, so that its group dies with the tests at the latest. */
export function watchGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  groups.add(pid);
  child.once('exit', () => groups.delete(pid));
}

/** Kills a process that was started `detached`, with all its children, and waits for its end. */
export async function endGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const isOver = child.exitCode !== null || child.signalCode !== null;
  const gone = isOver ? null : new Promise((resolve) => child.once('exit', resolve));
  // Also when the first of the group is gone: its children may not be.
  killGroup(pid);
  await gone;
}

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // All of them are gone.
  }
}

/** A virtual screen. The shell round it waits for the end of its input, which comes with `close` and with the death of this process. */
export async function startXvfb(): Promise<{ display: string; close(): void }> {
  const server = spawn('sh', ['-c', 'Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp <&- & exec 3>&-; cat >/dev/null; kill -9 $!'], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const number = await new Promise<string>((resolve, reject) => {
    server.stdio[3]?.once('data', (data) => resolve(String(data).trim()));
    server.stdio[3]?.once('end', () => reject(new Error('Xvfb ended before it had a screen')));
  });
  return { display: `:${number}`, close: () => void server.stdin?.end() };
}

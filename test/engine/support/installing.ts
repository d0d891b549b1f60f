/** Installs with a fake toolchain: here, or in a process that is killed when it reaches a line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installEngine } from '../../../main/engine/install.ts';
import type { EngineSources } from '../../../main/engine/sources.ts';
import { PreloraError } from '../../../main/protocol/reply.ts';
import { fakeToolchain } from './fakeToolchain.mjs';

const program = fileURLToPath(new URL('installingProcess.mjs', import.meta.url));

export interface InstallRequest {
  root: string;
  sources: EngineSources;
  /** The stage that takes its time. */
  slow?: 'compile' | 'test';
  python?: string | null;
}

export interface InstallingProcess {
  child: ChildProcess;
  /** Settles when a line begins with `start`, or the process has ended. */
  reaches(start: string): Promise<void>;
  /** All lines, once the process has ended. */
  ended: Promise<string[]>;
}

export function startInstalling(request: InstallRequest): InstallingProcess {
  const child = spawn(process.execPath, [program, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  const ended = new Promise<string[]>((resolve) => child.on('close', () => resolve(printed.trim().split('\n'))));
  child.stdout.on('data', (text: Buffer) => {
    printed += text;
  });
  const reaches = async (start: string): Promise<void> => {
    const reached = new Promise<void>((resolve) => {
      child.stdout.on('data', () => printed.split('\n').some((line) => line.startsWith(start)) && resolve());
    });
    await Promise.race([reached, ended]);
  };
  return { child, reaches, ended };
}

/** Installs in this process. Gives what a user reads: `installed FOLDER` or `failed CODE MESSAGE`. */
export async function installFully({ root, sources, python = null }: InstallRequest): Promise<string> {
  try {
    const engine = await installEngine({ variant: 'cpu', root, sources, python, ...fakeToolchain() });
    return `installed ${engine.folder}`;
  } catch (error) {
    if (error instanceof PreloraError) return `failed ${error.code} ${error.message}`;
    throw error;
  }
}

/** SIGKILL when `line` is reached; settles when the process is gone. */
export async function killAt(line: string, request: InstallRequest): Promise<void> {
  const { child, reaches, ended } = startInstalling(request);
  await reaches(line);
  child.kill('SIGKILL');
  await ended;
}

/** What the steps of an engine install share: how they report, how they are stopped, and how one of them says "not this way". */
import { PreloraError } from '../protocol/reply.ts';

export interface InstallProgress {
  stage: 'wait' | 'download' | 'check' | 'unpack' | 'compile' | 'test';
  /** One line for people. */
  message: string;
  /** Bytes done and to do, where the stage has a length. */
  done?: number;
  total?: number;
}

export interface InstallContext {
  onProgress: (progress: InstallProgress) => void;
  signal: AbortSignal;
}

/** This road cannot be taken here (no network, no tool); another may. Anything else that is thrown ends the install. */
export class RoadClosed extends Error {
  override readonly name = 'RoadClosed';
}

/** Throws `interrupted` once the install was told to stop. */
export function checkNotStopped({ signal }: InstallContext): void {
  if (signal.aborted) throw new PreloraError('interrupted', 'the engine install was stopped; a repeat continues it');
}

/** 274 MB, 1.1 GB: decimal, as download pages give it. */
export function inMegabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

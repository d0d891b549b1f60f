/**
 * The host's messages, kept in a file for reports of faults: <data root>/logs/engine.log, one line per message, and the file before it. A disk
 * that takes nothing costs the log, never the run.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';

const LOG_BYTES = 1 << 20;

export const logFile = (dataRoot: string): string => path.join(dataRoot, 'logs', 'engine.log');

/** A log function that writes the file and then hands on to `echo`. */
export function openHostLog(dataRoot: string, echo: (message: string) => void): (message: string) => void {
  const file = logFile(dataRoot);
  return (message) => {
    append(file, `${new Date().toISOString()} ${message.trimEnd()}\n`);
    echo(message);
  };
}

/** The newest lines, oldest first. */
export function readLogTail(dataRoot: string, lines: number): string {
  const file = logFile(dataRoot);
  const text = [`${file}.1`, file].map(readText).join('');
  return text
    .split('\n')
    .slice(-lines - 1)
    .join('\n');
}

function append(file: string, line: string): void {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    if (sizeOf(file) > LOG_BYTES) renameSync(file, `${file}.1`);
    appendFileSync(file, line);
  } catch {
    // Full or read-only: the message still reaches the terminal.
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A finished run of an earlier version of the program, from the fixtures. */
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FIXTURE = fileURLToPath(new URL('../fixtures/checkpoint-v1', import.meta.url));

/** Copies it into a new folder below `parent` and gives that. */
export function addOldRun(parent: string, name = 'old'): string {
  const dir = path.join(parent, name);
  mkdirSync(parent, { recursive: true });
  cpSync(FIXTURE, dir, { recursive: true });
  return dir;
}

/** An nvidia-smi first on PATH for one test: a shell script. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { temporaryFolder } from './temporaryFolder.ts';

const PATH_BEFORE = process.env.PATH ?? '';

export function fakeNvidiaSmi(script: string): void {
  const folder = path.join(temporaryFolder(), 'bin');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${PATH_BEFORE}`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** A new empty folder that is removed after the test. Its name has a space and a letter outside ASCII: paths have those (R18). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'prelora tëst '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The program's version, from the package.json beside the resources. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { resourcesFolder } from './paths.ts';

export async function programVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(path.join(resourcesFolder(), '..', 'package.json'), 'utf8'));
  return String((manifest as { version?: unknown }).version ?? '');
}

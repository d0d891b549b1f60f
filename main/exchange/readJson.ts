/** A JSON file of an export, as it stands there. */
import { readFile } from 'node:fs/promises';

export type Json = Record<string, unknown>;

export async function readJson(file: string): Promise<Json> {
  return JSON.parse(await readFile(file, 'utf8')) as Json;
}

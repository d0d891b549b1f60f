/** What a run's data was, by its data-report.json. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseJson } from './json.ts';
import { DATA_REPORT_FILE } from './runFolder.ts';

export interface ReadDataReport {
  /** By class index; empty when the report names none. */
  classNames: string[];
  /** Validation images; null when the report does not say. */
  valImages: number | null;
}

/** Never throws: a run without a report, or with one of another shape, tells nothing. */
export async function readDataReport(runDir: string): Promise<ReadDataReport> {
  const text = await readFile(path.join(runDir, DATA_REPORT_FILE), 'utf8').catch(() => '');
  const { classNames, images } = (parseJson(text) ?? {}) as { classNames?: unknown; images?: { val?: unknown } };
  const val = images?.val;
  return { classNames: Array.isArray(classNames) ? classNames.map(String) : [], valImages: typeof val === 'number' ? val : null };
}

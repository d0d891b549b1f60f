/** What a run is called, and its folder after it. */
import type { RunConfig } from '../protocol/config.ts';

/** For a run that was given no name: `sample-20261127-073000`. */
export function defaultRunName({ preset }: Pick<RunConfig, 'preset'>, now: Date): string {
  return `${preset ?? 'run'}-${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}`;
}

/** Letters, digits, dots, lines: what every file system takes. */
export function runFolderName(name: string): string {
  return name.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 100);
}

/** Progress of an engine install as text for a terminal or a log. */
import type { InstallProgress } from './install.ts';
import { inMegabytes } from './installProgress.ts';

export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean;
}

/** A listener that keeps one line up to date on a terminal, and elsewhere prints one line per stage and per quarter of it. */
export function progressPrinter(output: ProgressOutput): (progress: InstallProgress) => void {
  let last = '';
  return (progress) => {
    const share = progress.total ? (progress.done ?? 0) / progress.total : null;
    const step = share === null ? '' : ` ${Math.floor(share * (output.isTTY ? 100 : 4))}`;
    const key = progress.message + step;
    if (key === last) return;
    last = key;
    output.write(
      output.isTTY ? `\r\x1b[K${lineOf(progress, share)}${isLast(progress, share) ? '\n' : ''}` : `${lineOf(progress, share)}\n`,
    );
  };
}

function lineOf({ message, total }: InstallProgress, share: number | null): string {
  if (share === null || !total) return `engine: ${message}`;
  return `engine: ${message}: ${Math.floor(share * 100)} % of ${inMegabytes(total)}`;
}

/** Stages without a length end the line at once, so that the next one does not overwrite them. */
function isLast(progress: InstallProgress, share: number | null): boolean {
  return progress.stage !== 'wait' && (share === null || share >= 1);
}

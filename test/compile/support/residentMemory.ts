/** Memory the process holds now, in MB; 0 where /proc does not tell, so that comparisons pass. */
import { readFileSync } from 'node:fs';

export function residentMegabytes(): number {
  return process.platform === 'linux' ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024 : 0;
}

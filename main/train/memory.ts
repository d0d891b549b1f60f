/**
 * Memory of this process: resident now, and the peak since a phase began. Linux lets a process reset its own high-water mark
 * (proc(5), clear_refs 5), so the peak is exact there; elsewhere it is the largest of the values seen at each step.
 */
import { readFileSync, writeFileSync } from 'node:fs';

export class MemoryMeter {
  #largestSeen = 0;
  #hasKernelPeak = false;

  constructor() {
    this.resetPeak();
  }

  /** Starts a new peak, for a new phase. */
  resetPeak(): void {
    this.#largestSeen = 0;
    this.#hasKernelPeak = false;
    if (process.platform !== 'linux') return;
    try {
      writeFileSync('/proc/self/clear_refs', '5');
      this.#hasKernelPeak = true;
    } catch {
      // Not permitted in some containers: the largest value seen has to do.
    }
  }

  /** Resident bytes now. */
  currentBytes(): number {
    const bytes = process.memoryUsage.rss();
    this.#largestSeen = Math.max(this.#largestSeen, bytes);
    return bytes;
  }

  /** Largest resident size since the last reset, in bytes. */
  peakBytes(): number {
    const seen = Math.max(this.#largestSeen, this.currentBytes());
    return this.#hasKernelPeak ? Math.max(seen, kernelPeakBytes()) : seen;
  }
}

function kernelPeakBytes(): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return match ? Number(match[1]) * 1024 : 0;
}

/** What the run on screen tells the status bar. One value, because one run is on screen. */
import type { DiskRoom, GpuReading, StatusFile } from '../../main/protocol/run.ts';

class RunBar {
  backend = $state.raw<StatusFile['backend'] | null>(null);
  memoryBytes = $state<number | null>(null);
  checkpointStep = $state<number | null>(null);
  gpu = $state.raw<GpuReading | null>(null);
  disk = $state.raw<DiskRoom | null>(null);

  clear(): void {
    this.backend = null;
    this.memoryBytes = null;
    this.checkpointStep = null;
    this.gpu = null;
    this.disk = null;
  }
}

export const runBar = new RunBar();

/** What was measured on and with: machine and versions, written beside every result, because a timing means nothing without them. */
import os from 'node:os';
import { findEngine } from '../../engine/installed.ts';
import { peerSide } from './side.ts';

export interface MachineFacts {
  cpu: string;
  /** Cores this process may use. */
  cores: number;
  memoryBytes: number;
  platform: string;
  /** Mean number of runnable threads over the last minute when the benchmark began; near 0 on a quiet machine. */
  load: number;
  versions: Record<string, string>;
}

/** Asks the peer for its versions; `peer: "not installed …"` when it has none. */
export async function machineFacts(python: string | null, threads: number): Promise<MachineFacts> {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    platform: `${process.platform}-${process.arch} ${os.release()}`,
    load: os.loadavg()[0] as number,
    versions: {
      node: process.versions.node,
      tensorflow: findEngine()?.manifest.version ?? 'not installed',
      ...(python === null ? {} : await peerVersions(python, threads)),
    },
  };
}

async function peerVersions(python: string, threads: number): Promise<Record<string, string>> {
  const peer = peerSide(python, threads);
  try {
    return (await peer.ask('versions', {})).versions;
  } catch (error) {
    return { peer: (error as Error).message };
  } finally {
    await peer.close();
  }
}

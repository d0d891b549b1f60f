/** What compressed shards left unpacked, told by the folder that the shards lie in, as a user knows them; and taking it away. */
import path from 'node:path';
import { listUnpacked, removeUnpacked, type UnpackedShard } from '../data/unpackedShards.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { UnpackedSource } from '../protocol/results.ts';
import type { EngineHost } from './engineHost.ts';

/** Largest first. */
export async function listUnpackedSources(): Promise<UnpackedSource[]> {
  const sources = [...groupBySource(await listUnpacked())].map(([source, shards]) => describe(source, shards));
  return sources.sort((a, b) => b.bytes - a.bytes);
}

/** Deletes all of these or, with `busy`, none. Gives back the bytes won. */
export async function removeUnpackedSources(host: Pick<EngineHost, 'isStarting'>, sources: readonly string[]): Promise<number> {
  if (host.isStarting) throw new PreloraError('busy', 'a run is being started or measured and may be reading it; try again in a moment');
  const groups = groupBySource(await listUnpacked());
  const doomed = sources.flatMap((source) => groups.get(source) ?? []);
  const used = doomed.find(({ usedBy }) => usedBy !== null);
  if (used) throw new PreloraError('busy', `${sourceOf(used) || 'what is unpacked'} stays: ${inUse(used)}`, 'sources');
  return removeUnpacked(doomed);
}

function groupBySource(shards: readonly UnpackedShard[]): Map<string, UnpackedShard[]> {
  const groups = new Map<string, UnpackedShard[]>();
  for (const shard of shards) {
    const source = sourceOf(shard);
    groups.set(source, [...(groups.get(source) ?? []), shard]);
  }
  return groups;
}

function sourceOf({ shard }: UnpackedShard): string {
  return shard === null ? '' : path.dirname(shard);
}

function describe(source: string, shards: readonly UnpackedShard[]): UnpackedSource {
  const used = shards.find(({ usedBy }) => usedBy !== null);
  return {
    source,
    shards: shards.length,
    bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0),
    usedAt: new Date(Math.max(...shards.map(({ usedAt }) => usedAt))).toISOString(),
    blocked: used ? inUse(used) : null,
  };
}

function inUse({ usedBy }: UnpackedShard): string {
  return `run ${path.basename(usedBy ?? '')} is training on it; stop that first`;
}

/** Unpacked images of shards, as the page sees and removes them: by folder, and never from under a run. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { removeUnpackedSources } from '../../main/host/unpackedSources.ts';
import { engineRequests } from '../../main/protocol/requests.ts';
import { folderWith, golden, numberedTar } from '../data/shardSets.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

const packedSet = () => folderWith({ 'train.tar.gz': golden('pax.tar.gz'), 'val.tar.gz': golden('gnu.tar.gz') });

describe('unpacked images', () => {
  it('are listed by the folder of their shards and removed by it, the others left alone', async () => {
    const page = connectPage(startHost());
    const [one, other] = [packedSet(), packedSet()];
    for (const source of [one, other]) await page.request('data:inspect', { data: { source } });
    const listed = await page.request('storage:unpacked', {});
    expect(engineRequests['storage:unpacked'].result.safeParse(listed).success).toBe(true);
    expect(listed.map(({ source, shards, blocked }) => [source, shards, blocked]).sort()).toEqual(
      [one, other].map((source) => [source, 2, null]).sort(),
    );
    const { bytes } = await page.request('storage:removeUnpacked', { sources: [one, '/no/such'] });
    expect(bytes).toBe(listed.find(({ source }) => source === one)?.bytes);
    expect((await page.request('storage:unpacked', {})).map(({ source }) => source)).toEqual([other]);
    expect((await page.request('data:inspect', { data: { source: one } })).trainCount).toBe(3);
    expect(await page.request('storage:unpacked', {})).toHaveLength(2);
  });

  it('stay while a run trains on them, and while one is being started', async () => {
    const host = startHost();
    const page = connectPage(host);
    const source = folderWith({ 'train.tar.gz': gzipSync(await numberedTar(24)), 'val.tar.gz': gzipSync(await numberedTar(6)) });
    const { source: _, ...data } = SMALL_RUN.data;
    const config = { ...SMALL_RUN, model: { ...SMALL_RUN.model, inChannels: 3 }, data: { ...data, source } };
    const { runId } = await page.request('run:start', { config });
    const dir = await host.catalog.find(runId);
    const [listed] = await page.request('storage:unpacked', {});
    expect(listed).toMatchObject({ source, blocked: `run ${path.basename(dir)} is training on it; stop that first` });
    await expect(page.request('storage:removeUnpacked', { sources: [source] })).rejects.toMatchObject({ code: 'busy', field: 'sources' });
    await page.request('run:stop', { runId });
    await vi.waitFor(() => expect(existsSync(path.join(dir, 'run.lock'))).toBe(false), { timeout: 20_000 });
    await expect(removeUnpackedSources({ isStarting: true }, [source])).rejects.toMatchObject({ code: 'busy' });
    expect((await page.request('storage:removeUnpacked', { sources: [source] })).bytes).toBe(listed?.bytes);
    expect(await page.request('storage:unpacked', {})).toEqual([]);
  });
});

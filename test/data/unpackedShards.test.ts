/** What compressed shards left unpacked: listed by shard, deleted on request and made anew, and kept for as long as a run reads it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, it, vi } from 'vitest';
import { listUnpacked, noteUse, removeUnpacked } from '../../main/data/unpackedShards.ts';
import { acquireLock } from '../../main/store/lock.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { folderWith, golden, numberedTar, open, ownDataRoot } from './shardSets.ts';

const MONTH_MS = 31 * 24 * 3600 * 1000;
/** Greater than any process's number here. */
const NOBODY = 2 ** 22 + 17;

let unpacked = '';
beforeEach(() => {
  unpacked = path.join(ownDataRoot(), 'unpacked');
  return () => vi.unstubAllEnvs();
});

const bytesThere = (): number => readdirSync(unpacked).reduce((sum, name) => sum + statSync(path.join(unpacked, name)).size, 0);
const packedSet = () => folderWith({ 'train.tar.gz': golden('pax.tar.gz'), 'val.tar.gz': golden('gnu.tar.gz') });

it('is nothing before anything was unpacked, and plain shards add nothing', async () => {
  expect(await listUnpacked()).toEqual([]);
  await open(folderWith({ 'train.tar': await numberedTar(6), 'val.tar': await numberedTar(6) }));
  expect(await listUnpacked()).toEqual([]);
});

it('is told by shard with all its bytes, goes on request, and comes again with the same images', async () => {
  const root = packedSet();
  const { fingerprint } = await open(root);
  const shards = await listUnpacked();
  expect(shards.map(({ shard }) => shard).sort()).toEqual([path.join(root, 'train.tar.gz'), path.join(root, 'val.tar.gz')]);
  expect(shards.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(bytesThere());
  for (const { usedAt } of shards) expect(Math.abs(Date.now() - usedAt)).toBeLessThan(60_000);
  const train = shards.filter(({ shard }) => shard?.includes('train'));
  expect(await removeUnpacked(train)).toBe(train[0]?.bytes);
  expect((await listUnpacked()).map(({ shard }) => shard)).toEqual([path.join(root, 'val.tar.gz')]);
  expect((await open(root)).fingerprint).toBe(fingerprint);
  expect(await listUnpacked()).toHaveLength(2);
});

it('of an earlier version, whose index names no shard, and of a killed unpacking counts too', async () => {
  await open(packedSet());
  const [index = ''] = readdirSync(unpacked).filter((name) => name.endsWith('.json'));
  const { shard: _, ...older } = JSON.parse(readFileSync(path.join(unpacked, index), 'utf8')) as Record<string, unknown>;
  writeFileSync(path.join(unpacked, index), JSON.stringify(older));
  writeFileSync(path.join(unpacked, `.0a.images.${NOBODY}.0a1b2c3d.tmp`), 'half');
  writeFileSync(path.join(unpacked, `.0b.images.${process.pid}.0a1b2c3d.tmp`), 'being written');
  const unknown = (await listUnpacked()).filter(({ shard }) => shard === null);
  expect(unknown.map(({ files }) => files.length).sort()).toEqual([1, 2]);
  await removeUnpacked(await listUnpacked());
  expect(readdirSync(unpacked)).toEqual([`.0b.images.${process.pid}.0a1b2c3d.tmp`]);
});

it('is in use for as long as the run that noted it is locked, and no longer', async () => {
  const { train, val } = await open(packedSet());
  const runDir = temporaryFolder();
  const lock = acquireLock(runDir);
  await noteUse(runDir, [train, val]);
  expect((await listUnpacked()).map(({ usedBy }) => usedBy)).toEqual([runDir, runDir]);
  lock.release();
  expect((await listUnpacked()).map(({ usedBy }) => usedBy)).toEqual([null, null]);
  expect(readdirSync(unpacked).filter((name) => name.startsWith('used-'))).toEqual([]);
});

it('needs no note for data that is not unpacked, and no room for one to be noted', async () => {
  const { train } = await open(folderWith({ 'train.tar': await numberedTar(6), 'val.tar': await numberedTar(6) }));
  const before = readdirSync(unpacked);
  await noteUse(temporaryFolder(), [train]);
  expect(readdirSync(unpacked)).toEqual(before);
  const packed = await open(packedSet());
  const place = path.join(temporaryFolder(), 'data');
  writeFileSync(place, '');
  vi.stubEnv('PRELORA_DATA_DIR', place);
  const images = { ...packed.train.images, files: [path.join(place, 'unpacked', 'a.images')] } as typeof packed.train.images;
  await noteUse(temporaryFolder(), [{ ...packed.train, images }]);
});

it('of a run that trains for more than a month stays when other shards are unpacked', async () => {
  const { train, val } = await open(packedSet());
  const runDir = path.join(temporaryFolder(), 'run');
  mkdirSync(runDir);
  const lock = acquireLock(runDir);
  await noteUse(runDir, [train, val]);
  const old = readdirSync(unpacked).map((name) => path.join(unpacked, name));
  for (const file of old) utimesSync(file, 1, (Date.now() - MONTH_MS) / 1000);
  await open(folderWith({ 'train.tar.gz': gzipSync(await numberedTar(6)), 'val.tar.gz': gzipSync(await numberedTar(6, { from: 6 })) }));
  expect(old.filter((file) => !existsSync(file))).toEqual([]);
  lock.release();
  await open(folderWith({ 'train.tar.gz': gzipSync(await numberedTar(9)), 'val.tar.gz': gzipSync(await numberedTar(9, { from: 6 })) }));
  expect(old.filter((file) => existsSync(file))).toEqual([]);
});

/** The trash (F72): what is moved there waits for 30 days by the clock handed in, comes back whole, and goes for good without harm to others. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { RunCatalog } from '../../main/host/runCatalog.ts';
import { KEPT_IN_TRASH_MS } from '../../main/host/runTrash.ts';
import { TrashTidying } from '../../main/host/trashTidying.ts';
import { engineRequests } from '../../main/protocol/requests.ts';
import { acquireLock } from '../../main/store/lock.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { addOldRun } from './oldRun.ts';

const DAY_MS = 24 * 3600 * 1000;
const START = Date.parse('2026-11-29T12:00:00.000Z');

/** A catalog over runs of these names, and a clock that is set by hand. */
function catalogWith(...names: string[]) {
  const dataRoot = path.join(temporaryFolder(), 'data');
  const clock = { now: START };
  const catalog = new RunCatalog(path.join(dataRoot, 'runs'), () => clock.now);
  for (const name of names) addOldRun(catalog.root, name);
  const said: string[] = [];
  const tidy = (): Promise<string[]> => catalog.trash.tidy((message) => said.push(message));
  const trashAll = async (): Promise<void> => {
    for (const { runId } of await catalog.list()) await catalog.moveToTrash(runId);
  };
  return { dataRoot, catalog, clock, said, tidy, trashAll, trashed: () => readdirSync(catalog.trash.root) };
}

/** All that lies below a folder, with the content of its files. */
function contentOf(dir: string): Record<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry) => path.join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((file) => [path.relative(dir, file), readFileSync(file, 'base64')]));
}

describe('a run in the trash', () => {
  it('is noted with the moment it came, newest first, and comes back without a byte more or less', async () => {
    const { catalog, clock } = catalogWith('first', 'second');
    const before = contentOf(path.join(catalog.root, 'second'));
    const [first, second] = (await catalog.list()).map(({ runId }) => runId) as [string, string];
    await catalog.moveToTrash(first);
    clock.now += DAY_MS;
    await catalog.moveToTrash(second);
    clock.now += DAY_MS;
    expect((await catalog.trash.list()).map(({ folder, trashedAt }) => [folder, trashedAt])).toEqual([
      ['second', START + DAY_MS],
      ['first', START],
    ]);
    await catalog.restoreFromTrash(second);
    expect(contentOf(path.join(catalog.root, 'second'))).toEqual(before);
    expect((await catalog.list()).map(({ dir }) => path.basename(dir))).toEqual(['second']);
  });

  it('goes by the id that the table knew it by, so that the way back brings the one that was meant', async () => {
    const { catalog, clock } = catalogWith('run', 'run copy');
    const ids = (await catalog.list()).map(({ runId }) => runId);
    expect(ids[1]).toBe('run copy');
    await catalog.moveToTrash('run copy');
    addOldRun(catalog.root, 'run copy');
    writeFileSync(path.join(catalog.root, 'run copy', 'second'), '');
    clock.now += 1000;
    await catalog.list();
    await catalog.moveToTrash('run copy');
    await catalog.restoreFromTrash('run copy');
    expect(existsSync(path.join(catalog.root, 'run copy-2', 'second'))).toBe(true);
    await expect(catalog.restoreFromTrash('nobody')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('of an earlier program, without a note, counts from when it is first seen', async () => {
    const { catalog, clock, tidy, trashed } = catalogWith('old');
    mkdirSync(catalog.trash.root, { recursive: true });
    renameSync(path.join(catalog.root, 'old'), path.join(catalog.trash.root, 'old'));
    writeFileSync(path.join(catalog.trash.root, 'old', 'trashed.json'), '{"at":"yesterday"}');
    expect(await tidy()).toEqual([]);
    clock.now += KEPT_IN_TRASH_MS - 1;
    expect([await tidy(), trashed()]).toEqual([[], ['old']]);
    clock.now += 1;
    expect([(await tidy()).length, trashed()]).toEqual([1, []]);
  });
});

describe('tidying', () => {
  it('takes what has been there for 30 days, to the millisecond, and nothing younger', async () => {
    const { catalog, clock, tidy, trashed, said, dataRoot } = catalogWith('old', 'young');
    const [old, young] = (await catalog.list()).map(({ runId }) => runId) as [string, string];
    await catalog.moveToTrash(old);
    clock.now += 1;
    await catalog.moveToTrash(young);
    clock.now = START + KEPT_IN_TRASH_MS;
    expect(await tidy()).toEqual([old]);
    expect([trashed(), readdirSync(dataRoot).sort(), said]).toEqual([['young'], ['runs', 'trash'], []]);
  });

  it('leaves a run that some process writes, and one whose lock cannot be understood', async () => {
    const { catalog, clock, tidy, trashed, trashAll } = catalogWith('held', 'odd');
    await trashAll();
    const lock = acquireLock(path.join(catalog.trash.root, 'held'));
    writeFileSync(path.join(catalog.trash.root, 'odd', 'run.lock'), 'mine');
    clock.now += 2 * KEPT_IN_TRASH_MS;
    expect([await tidy(), trashed().sort()]).toEqual([[], ['held', 'odd']]);
    lock.release();
    expect([(await tidy()).length, trashed()]).toEqual([1, ['odd']]);
  });

  it('deletes links and leaves what they point to', async () => {
    const { catalog, clock, tidy, trashed, trashAll, dataRoot } = catalogWith('linked');
    const images = path.join(dataRoot, 'images');
    mkdirSync(images);
    writeFileSync(path.join(images, 'cat.png'), 'cat');
    for (const place of ['images', 'checkpoints/images']) symlinkSync(images, path.join(catalog.root, 'linked', place));
    symlinkSync(path.join(images, 'cat.png'), path.join(catalog.root, 'linked', 'one.png'));
    await trashAll();
    symlinkSync(images, path.join(catalog.trash.root, 'run elsewhere'));
    clock.now += KEPT_IN_TRASH_MS;
    expect(await tidy()).toHaveLength(1);
    expect([trashed(), readFileSync(path.join(images, 'cat.png'), 'utf8')]).toEqual([['run elsewhere'], 'cat']);
  });

  it('finishes what a kill left half deleted, and touches nothing that only looks like it', async () => {
    const { catalog, tidy, dataRoot, said } = catalogWith('kept');
    const doomed = addOldRun(dataRoot, 'deleting-0a1b2c3d');
    rmSync(path.join(doomed, 'config.json'));
    addOldRun(dataRoot, 'deleting-old-things');
    symlinkSync(path.join(catalog.root, 'kept'), path.join(dataRoot, 'deleting-ffffffff'));
    expect(await tidy()).toEqual([]);
    expect(readdirSync(dataRoot).sort()).toEqual(['deleting-ffffffff', 'deleting-old-things', 'runs']);
    expect([readdirSync(catalog.root), said]).toEqual([['kept'], []]);
  });

  it('begins some time after the start, comes again, and ends with the program', async () => {
    const { catalog, clock, trashAll } = catalogWith('one');
    const gone = vi.fn();
    const tidying = new TrashTidying(catalog.trash, { gone, say: () => {}, firstAfterMs: 20, againAfterMs: 20 });
    await trashAll();
    clock.now += KEPT_IN_TRASH_MS;
    tidying.start();
    expect(gone).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(gone).toHaveBeenCalledTimes(1));
    addOldRun(catalog.root, 'two');
    await trashAll();
    clock.now += KEPT_IN_TRASH_MS;
    await vi.waitFor(() => expect(gone).toHaveBeenCalledTimes(2));
    tidying.stop();
    addOldRun(catalog.root, 'three');
    await trashAll();
    clock.now += KEPT_IN_TRASH_MS;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(gone).toHaveBeenCalledTimes(2);
  });
});

describe('the page', () => {
  it('sees the trash with sizes and dates, and deletes for good exactly what it names', async () => {
    const host = startHost(undefined, { now: () => START });
    const page = connectPage(host);
    addOldRun(host.catalog.root, 'one');
    const broken = addOldRun(host.catalog.root, 'two');
    writeFileSync(path.join(broken, 'config.json'), '{');
    for (const { runId } of await page.request('runs:list', {})) await page.request('runs:trash', { runId });
    const runs = await page.request('trash:list', {});
    expect(engineRequests['trash:list'].result.safeParse(runs).success).toBe(true);
    expect(runs.map(({ folder }) => folder).sort()).toEqual(['one', 'two']);
    for (const run of runs) {
      expect(run).toMatchObject({ trashedAt: '2026-11-29T12:00:00.000Z', goesAt: '2026-12-29T12:00:00.000Z', blocked: null });
      expect(run.bytes).toBeGreaterThan(5000);
    }
    const { bytes } = await page.request('trash:delete', { folders: ['two', 'gone already', '../runs'] });
    expect(bytes).toBe(runs.find(({ folder }) => folder === 'two')?.bytes);
    await page.request('trash:restore', { folder: 'one' });
    expect([readdirSync(host.catalog.root), readdirSync(host.catalog.trash.root)]).toEqual([['one'], []]);
    await expect(page.request('trash:restore', { folder: '../runs/one' })).rejects.toMatchObject({ code: 'not-found', field: 'folder' });
  });

  it('is told why a run that is being written can neither come back nor go', async () => {
    const host = startHost();
    const page = connectPage(host);
    addOldRun(host.catalog.root, 'held');
    const [{ runId = '' } = {}] = await page.request('runs:list', {});
    await page.request('runs:trash', { runId });
    const lock = acquireLock(path.join(host.catalog.trash.root, 'held'));
    expect((await page.request('trash:list', {}))[0]?.blocked).toContain(`process ${process.pid}`);
    await expect(page.request('trash:delete', { folders: ['held'] })).rejects.toMatchObject({ code: 'busy' });
    await expect(page.request('trash:restore', { folder: 'held' })).rejects.toMatchObject({ code: 'busy' });
    expect(readdirSync(host.catalog.trash.root)).toEqual(['held']);
    lock.release();
    const told: string[][] = [];
    page.on('runs:changed', ({ runIds }) => told.push(runIds));
    await page.request('trash:delete', { folders: ['held'] });
    expect(told).toEqual([[runId]]);
  });

  it('is told that there is no such run, and nothing worse, where the run goes to the trash while it is read', async () => {
    const host = startHost();
    const page = connectPage(host);
    const dir = addOldRun(host.catalog.root, 'going');
    const [{ runId = '' } = {}] = await page.request('runs:list', {});
    const away = path.join(path.dirname(host.catalog.root), 'away');
    const codes = new Set<string>();
    for (let turns = 0; turns < 60; turns++) {
      const asked = ['run:state', 'run:facts'] as const;
      const answers = asked.map((name) => page.request(name, { runId }).catch(({ code }: { code: string }) => codes.add(code)));
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      renameSync(dir, away);
      await Promise.all(answers);
      renameSync(away, dir);
    }
    expect([...codes]).toEqual(['not-found']);
  });
});

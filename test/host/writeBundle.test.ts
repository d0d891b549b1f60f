/**
 * A run out in one zip: nothing of its user inside, every bit back apart from that, consistent while it is being trained, and absent unless it
 * is complete. How bundles of others are read is in importBundle.test.ts.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { openPromise } from 'yauzl';
import { importBundle } from '../../main/host/importBundle.ts';
import { annotateRun, RunCatalog } from '../../main/host/runCatalog.ts';
import { BundleManifest } from '../../main/protocol/bundle.ts';
import { type BundleOptions, writeBundle } from '../../main/store/bundleWriting.ts';
import { newestGoodCheckpoint } from '../../main/store/checkpointFolder.ts';
import { verifyCheckpoint } from '../../main/store/checkpointReading.ts';
import { readConfig, readLast, readLineage, readRecords } from '../../main/store/runFolder.ts';
import { createRun, openRun } from '../../main/store/runStore.ts';
import { tinyCheckpoint, tinyRunConfig } from '../store/tinyRun.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { canMount, fill, smallDisk } from '../support/smallDisk.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { trainTiny } from '../train/tinyTraining.ts';

const USER = 'rosalind';

/** What is in a zip: name → content. */
async function contentOfZip(file: string): Promise<Map<string, Buffer>> {
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
  const content = new Map<string, Buffer>();
  try {
    for await (const entry of zip.eachEntry()) {
      const pieces: Buffer[] = [];
      for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer);
      content.set(entry.fileName, Buffer.concat(pieces));
    }
  } finally {
    zip.close();
  }
  return content;
}

function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(folder, name)).isFile());
  return Object.fromEntries(
    files.map((name) => [name.replaceAll(path.sep, '/'), readFileSync(path.join(folder, name)).toString('base64')]),
  );
}

/** Two classes of pictures in a home of our own, with a space in the path. */
async function pictures(home: string): Promise<string> {
  const source = path.join(home, 'my data', 'flowers');
  for (const [c, name] of ['rose', 'tulip'].entries()) {
    mkdirSync(path.join(source, name), { recursive: true });
    for (let i = 0; i < 30; i++) {
      const background = { r: 8 * i, g: 200 * c, b: 50 };
      await sharp({ create: { width: 28, height: 28, channels: 3, background } })
        .png()
        .toFile(path.join(source, name, `${i}.png`));
    }
  }
  return source;
}

describe('a run whose folder tells of its user everywhere it can', { timeout: 60_000 }, () => {
  async function tellingRun() {
    const root = path.join(temporaryFolder(), 'home', USER);
    const source = await pictures(root);
    const { dir } = await trainTiny(path.join(root, 'runs', 'tiny'), {
      data: { source, maxTrain: null, maxVal: null },
      train: { keepCheckpoints: 20, epochs: 4 },
    });
    const config = JSON.parse(readFileSync(path.join(dir, 'config.json'), 'utf8'));
    config.model.startFrom = path.join(root, 'weights', 'vit.safetensors');
    config.name = `${USER}-roses`;
    writeFileSync(path.join(dir, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    await annotateRun(dir, { note: `made by Rosalind from ${source}, see /srv/lab/notes.txt`, tags: [USER, 'roses'] });
    const store = await openRun(dir);
    const at = { step: 24, segment: 0, time: '2026-11-30T00:00:00.000Z', by: 'program' } as const;
    const stack = `ENOENT:/mnt/archive/x at file://${root}/app/main.js:12, and C:\\Users\\${USER}\\x, \\\\lab\\share\\y`;
    store.appendEvent({ ...at, kind: 'crash', detail: { reason: stack, checkpoint: 24 } });
    store.appendEvent({
      ...at,
      kind: 'start-weights',
      detail: { from: config.model.startFrom, notes: [`read ${config.model.startFrom}`] },
    });
    store.appendEvent({ ...at, kind: 'images-replaced', detail: { replaced: [{ path: `${source}/rose/3.png`, reason: 'gone' }] } });
    store.close();
    const status = JSON.parse(readFileSync(path.join(dir, 'status.json'), 'utf8'));
    status.message = `${dir}/checkpoints: cannot be written; ask ${USER}`;
    status.backend.why = `installed in ${root}/.local/share/prelora-workbench/engines/cpu`;
    writeFileSync(path.join(dir, 'status.json'), JSON.stringify(status));
    writeFileSync(path.join(dir, 'ranks.segment-1.json'), JSON.stringify({ from: `${root}/x` }));
    // What is no part of a run's format, and may hold anything.
    for (const name of [
      'notes.docx',
      'run.lock',
      'named-data.json',
      'merged/step-24/merge.json',
      'tb/events.out',
      'checkpoints/.step-30.1.tmp/state.json',
    ]) {
      mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
      writeFileSync(path.join(dir, name), root);
    }
    return { dir, root, source, person: { home: root, userName: USER } };
  }

  it('leaves without a trace of them in any file, the names of its classes kept', async () => {
    const { dir, root, person } = await tellingRun();
    const file = path.join(temporaryFolder(), 'out.prelora.zip');
    const { steps, notes } = await writeBundle(dir, file, { weights: 'all', person });
    expect([steps, notes]).toEqual([[6, 12, 18, 24], []]);
    const content = await contentOfZip(file);
    for (const [name, bytes] of content) {
      const text = bytes.toString('utf8');
      for (const trace of [USER, root, path.dirname(root), '/srv/', '/mnt/', '/tmp/', 'C:\\\\', 'my data', '\\\\lab'])
        expect(text.toLowerCase().includes(trace.toLowerCase()), `${trace} in ${name}`).toBe(false);
    }
    const json = (name: string) => JSON.parse(content.get(`run/${name}`)!.toString('utf8'));
    const reference = { kind: 'folder', name: 'flowers', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) };
    expect(json('config.json')).toMatchObject({
      name: 'user-roses',
      data: { source: reference, valSource: null },
      model: { startFrom: { kind: 'weights', name: 'vit.safetensors', fingerprint: null } },
    });
    expect(json(`checkpoints/step-${steps[0]}/state.json`).config.data.source).toEqual(reference);
    expect(json('data-report.json')).toMatchObject({ source: reference, classNames: ['rose', 'tulip'] });
    expect(json('annotations.json')).toMatchObject({ note: 'made by user from <data>, see <path>', tags: ['user', 'roses'] });
    expect(json('status.json')).toMatchObject({
      message: '<run>/checkpoints: cannot be written; ask user',
      backend: { why: 'installed in <path>' },
    });
    expect([...content.keys()].filter((name) => /docx|lock|named|merged|tb|tmp/.test(name))).toEqual([]);
  });

  it('comes back as a run whose checkpoints are good and whose records are those it had', async () => {
    const { dir, person } = await tellingRun();
    const file = path.join(temporaryFolder(), 'out.prelora.zip');
    const { steps } = await writeBundle(dir, file, { weights: 'all', person });
    const { folder, name } = await importBundle(new RunCatalog(path.join(temporaryFolder(), 'runs')), file);
    expect(name).toBe('user-roses');
    const { model } = await readConfig(folder);
    for (const step of steps) {
      const { appendLengths } = await verifyCheckpoint(folder, step, model);
      // Its lengths still end at whole lines of the masked journal.
      const events = readFileSync(path.join(folder, 'events.jsonl')).subarray(0, appendLengths['events.jsonl']);
      expect(events.at(-1)).toBe(10);
    }
    for (const kind of ['metrics', 'epochs', 'snapshots'] as const)
      expect(await readRecords(folder, kind)).toEqual(await readRecords(dir, kind));
    expect((await readRecords(folder, 'events')).map(({ kind }) => kind)).toEqual(
      (await readRecords(dir, 'events')).map(({ kind }) => kind),
    );
  });
});

test('lengths in manifests follow a journal that became shorter', async () => {
  const store = await plainRun(path.join(temporaryFolder(), 'run'), []);
  const at = { step: 1, segment: 0, time: '', by: 'program' } as const;
  store.appendEvent({ ...at, kind: 'crash', detail: { reason: '/srv/a/very/long/path/that/goes' } });
  const { appendLengths } = await store.saveCheckpoint(tinyCheckpoint(1));
  store.appendEvent({ ...at, kind: 'note', detail: { text: 'later, /srv/another' } });
  store.close();
  const file = path.join(temporaryFolder(), 'out.prelora.zip');
  await writeBundle(store.dir, file, { weights: 'all' });
  const { folder } = await importBundle(new RunCatalog(path.join(temporaryFolder(), 'runs')), file);
  const after = (await verifyCheckpoint(folder, 1, tinyRunConfig.model)).appendLengths;
  const upTo = (dir: string, bytes = 0): number =>
    readFileSync(path.join(dir, 'events.jsonl')).subarray(0, bytes).toString().split('\n').length;
  expect(after['events.jsonl']).toBeLessThan(appendLengths['events.jsonl'] as number);
  expect(upTo(folder, after['events.jsonl'])).toBe(upTo(store.dir, appendLengths['events.jsonl']));
  expect(readFileSync(path.join(folder, 'events.jsonl'))[(after['events.jsonl'] as number) - 1]).toBe(10);
});

/** A run of the store alone, with nothing to mask. */
async function plainRun(dir: string, steps: readonly number[] = [1, 2, 3]) {
  const store = await createRun({ dir, config: tinyRunConfig });
  for (const step of steps) await store.saveCheckpoint(tinyCheckpoint(step, { phase: step > 2 ? 'lora' : 'full' }));
  return store;
}

test('every bit comes back, whatever the records hold', async () => {
  const words = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/[/\\]/.test(text));
  const detail = fc.dictionary(words, fc.oneof(words, fc.double(), fc.boolean(), fc.constant(null), fc.array(words, { maxLength: 3 })), {
    maxKeys: 4,
  });
  const given = fc.record({
    kinds: fc.array(fc.tuple(words, detail), { maxLength: 6 }),
    notes: words,
    lines: fc.nat(40),
    weights: fc.constantFrom('none', 'all'),
  });
  await fc.assert(
    fc.asyncProperty(given, async ({ kinds, notes, lines, weights }) => {
      const folder = temporaryFolderHere();
      try {
        const dir = path.join(folder, 'runs', 'one');
        const store = await plainRun(dir, weights === 'all' ? [1, 3] : []);
        for (const [kind, more] of kinds) store.appendEvent({ kind, step: 1, segment: 0, time: '', by: 'user', detail: more });
        for (let step = 1; step <= lines; step++)
          appendFileSync(path.join(dir, 'metrics.jsonl'), `{"step": ${step},  "loss":1.0e-3, "unit":"img/s"}\n`);
        store.close();
        await annotateRun(dir, { note: notes });
        const before = contentOf(dir);
        const file = path.join(folder, 'one.prelora.zip');
        await writeBundle(dir, file, { weights: weights as 'none' | 'all', person: { home: '/home/nobody-here', userName: '' } });
        const { folder: back } = await importBundle(new RunCatalog(path.join(folder, 'elsewhere', 'runs')), file);
        if (weights === 'none') for (const name of Object.keys(before)) if (/^checkpoints|^last/.test(name)) delete before[name];
        expect(contentOf(back)).toEqual(before);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 25 },
  );
});

/** A property runs many times within one test. */
function temporaryFolderHere(): string {
  const folder = path.join(temporaryRoot(), String(count++));
  mkdirSync(folder);
  return folder;
}
let count = 0;
let root: string | null = null;
function temporaryRoot(): string {
  root ??= temporaryFolder();
  return root;
}

describe('the weights that go along', () => {
  const bundle = async (dir: string, options: BundleOptions) => {
    const file = path.join(temporaryFolder(), 'out.prelora.zip');
    const written = await writeBundle(dir, file, options);
    const { folder } = await importBundle(new RunCatalog(path.join(temporaryFolder(), 'runs')), file);
    return { ...written, folder };
  };
  const newest = async (folder: string) => (await newestGoodCheckpoint(folder, tinyRunConfig.model, await readLineage(folder))).step;

  it('are the best checkpoint and no other, and last.json points at it', async () => {
    const store = await plainRun(path.join(temporaryFolder(), 'run'));
    await store.writeBest({ step: 2, epoch: 1, valTop1: 0.5 });
    await store.pinCheckpoint({ step: 1, segment: 0, reason: 'before-switch' });
    await store.pinCheckpoint({ step: 2, segment: 0, reason: 'before-undo' });
    const { steps, notes, folder } = await bundle(store.dir, { weights: 'best' });
    expect([steps, notes, await newest(folder), await readLast(folder)]).toEqual([[2], [], 2, 2]);
    expect(JSON.parse(readFileSync(path.join(folder, 'checkpoints/pinned.json'), 'utf8')).pins).toMatchObject([{ step: 2 }]);
    store.close();
  });

  it('are the last where none is best yet, and none where there is none; both are told', async () => {
    const store = await plainRun(path.join(temporaryFolder(), 'run'));
    const last = await bundle(store.dir, { weights: 'best' });
    expect([last.steps, last.notes]).toEqual([[3], ['the run has no best checkpoint yet: step 3, its last, is taken']]);
    store.close();
    const young = await plainRun(path.join(temporaryFolder(), 'run'), []);
    const none = await bundle(young.dir, { weights: 'best' });
    expect([none.steps, none.notes]).toEqual([[], ['the run has no checkpoint yet: the bundle is without weights']]);
    young.close();
  });

  it('are those that can be read; a damaged one is left out by its manifest, and refused by its tensors', async () => {
    const store = await plainRun(path.join(temporaryFolder(), 'run'));
    writeFileSync(path.join(store.dir, 'checkpoints/step-1/manifest.json'), '{');
    const { steps, notes } = await bundle(store.dir, { weights: 'all' });
    expect([steps, notes]).toEqual([[2, 3], ['checkpoint step-1 is damaged: manifest.json: is not JSON; it is left out']]);
    const tensors = path.join(store.dir, 'checkpoints/step-2/model.safetensors');
    const bytes = readFileSync(tensors);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(tensors, bytes);
    const refused = bundle(store.dir, { weights: 'all' });
    await expect(refused).rejects.toMatchObject({
      code: 'checkpoint-damaged',
      message: expect.stringContaining('step-2 is damaged: model.safetensors'),
    });
    store.close();
  });
});

test('a checkpoint that is pruned while it is read is left out by another try', async () => {
  const store = await plainRun(path.join(temporaryFolder(), 'run'));
  let isFirst = true;
  const onProgress = (): void => {
    if (isFirst) rmSync(path.join(store.dir, 'checkpoints/step-3'), { recursive: true });
    isFirst = false;
  };
  const { steps } = await writeBundle(store.dir, path.join(temporaryFolder(), 'out.prelora.zip'), { weights: 'all', onProgress });
  expect(steps).toEqual([1, 2]);
  store.close();
});

test('a run that is being written is bundled up to its last whole line, and says so itself when it is opened', async () => {
  const store = await plainRun(path.join(temporaryFolder(), 'run'));
  appendFileSync(path.join(store.dir, 'metrics.jsonl'), '{"step":1,"loss":0.5}\n{"step":2,"lo');
  const status = { runId: store.runId, name: 'live', status: 'running', phase: 'full', step: 3, totalSteps: 9, stepsPerEpoch: 3 };
  writeFileSync(path.join(store.dir, 'status.json'), JSON.stringify(status));
  const file = path.join(temporaryFolder(), 'out.prelora.zip');
  await writeBundle(store.dir, file, { weights: 'all' });
  const content = await contentOfZip(file);
  expect(content.get('run/metrics.jsonl')?.toString()).toBe('{"step":1,"loss":0.5}\n');
  expect([...content.keys()]).not.toContain('run/run.lock');
  store.close();
});

describe('a bundle is complete or absent', () => {
  it('when it is cancelled', async () => {
    const store = await plainRun(path.join(temporaryFolder(), 'run'));
    const folder = temporaryFolder();
    const abort = new AbortController();
    const cancelled = writeBundle(store.dir, path.join(folder, 'out.prelora.zip'), {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'interrupted' });
    expect(readdirSync(folder)).toEqual([]);
    store.close();
  });

  it('and never takes the place of a file, nor makes folders', async () => {
    const store = await plainRun(path.join(temporaryFolder(), 'run'));
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'a.prelora.zip'), 'old');
    await expect(writeBundle(store.dir, path.join(folder, 'a.prelora.zip'))).rejects.toMatchObject({ code: 'bad-arguments' });
    await expect(writeBundle(store.dir, path.join(folder, 'no', 'a.prelora.zip'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(writeBundle(folder, path.join(folder, 'b.prelora.zip'))).rejects.toMatchObject({ code: 'not-found' });
    expect(readFileSync(path.join(folder, 'a.prelora.zip'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a.prelora.zip']);
    store.close();
  });

  it.skipIf(!canMount())('on a disk that is too small for it, out or in (needs root)', async () => {
    const store = await plainRun(path.join(temporaryFolder(), 'run'));
    const disk = smallDisk(256);
    fill(disk, 8 * 1024);
    const out = writeBundle(store.dir, path.join(disk, 'a.prelora.zip'), { weights: 'all' });
    await expect(out).rejects.toMatchObject({ code: 'disk-full', message: expect.stringMatching(/needs 0\.\d MiB, 0\.\d MiB are free/) });
    const file = path.join(temporaryFolder(), 'a.prelora.zip');
    await writeBundle(store.dir, file, { weights: 'all' });
    mkdirSync(path.join(disk, 'runs'));
    await expect(importBundle(new RunCatalog(path.join(disk, 'runs')), file)).rejects.toMatchObject({ code: 'disk-full' });
    expect([readdirSync(disk).sort(), readdirSync(path.join(disk, 'runs'))]).toEqual([['filler', 'runs'], []]);
    store.close();
  });
});

test('bundle.json comes first and declares every other file by size and SHA-256; tensors are stored, the rest is deflated', async () => {
  const store = await plainRun(path.join(temporaryFolder(), 'run'));
  const file = path.join(temporaryFolder(), 'out.prelora.zip');
  await writeBundle(store.dir, file, { weights: 'all' });
  store.close();
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
  onTestFinished(() => zip.close());
  const entries = [];
  for await (const entry of zip.eachEntry()) entries.push(entry);
  expect(entries[0]?.fileName).toBe('bundle.json');
  for (const { fileName, compressionMethod } of entries)
    expect([fileName, compressionMethod]).toEqual([fileName, fileName.endsWith('.safetensors') ? 0 : 8]);
  const manifest = BundleManifest.parse(JSON.parse((await contentOfZip(file)).get('bundle.json')!.toString()));
  expect(manifest).toMatchObject({
    format: 'prelora-bundle',
    version: 1,
    runId: store.runId,
    weights: 'all',
    app: expect.stringMatching(/^prelora-workbench \d/),
  });
  expect(manifest.files.map(({ name }) => name)).toEqual(entries.slice(1).map(({ fileName }) => fileName));
});

test('a page in a browser gives a name, a desktop a whole path; another place is refused', async () => {
  const browser = startHost();
  const page = connectPage(browser);
  const store = await plainRun(path.join(browser.catalog.root, 'one'));
  store.close();
  const { runId } = store;
  const written = await page.request('bundle:write', { runId, file: 'one.prelora.zip', weights: 'none' });
  expect(written.file).toBe(path.join(browser.dataRoot, 'bundles', 'one.prelora.zip'));
  for (const file of ['/tmp/one.prelora.zip', '../one.prelora.zip', 'a\\one.prelora.zip', 'C:one.prelora.zip', '.prelora.zip', 'one.zip'])
    await expect(page.request('bundle:write', { runId, file })).rejects.toMatchObject({ code: 'bad-arguments', field: 'file' });
  const again = page.request('bundle:write', { runId, file: 'one.prelora.zip' });
  await expect(again).rejects.toMatchObject({ code: 'bad-arguments', message: expect.stringContaining('exists') });

  const desktop = connectPage(startHost(undefined, { kind: 'desktop' }, browser.dataRoot));
  const target = path.join(temporaryFolder(), 'two.prelora.zip');
  expect(await desktop.request('bundle:write', { runId, file: target })).toMatchObject({ file: target, steps: [3] });
  await expect(desktop.request('bundle:write', { runId, file: 'two.prelora.zip' })).rejects.toMatchObject({ code: 'bad-arguments' });
});

test('two bundles at a time are refused, and any page may cancel the one', async () => {
  const host = startHost();
  const [first, second] = [connectPage(host), connectPage(host)];
  const store = await plainRun(path.join(host.catalog.root, 'one'));
  store.close();
  const told: number[] = [];
  first.on('task:progress', ({ task, fraction }) => void (task === 'bundle:write' && told.push(fraction ?? -1)));
  const running = first.request('bundle:write', { runId: store.runId, file: 'a.prelora.zip' });
  const other = second.request('bundle:write', { runId: store.runId, file: 'b.prelora.zip' });
  const ends = await Promise.allSettled([running, other]);
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(told.at(-1)).toBe(1);
  await second.request('bundle:cancel', {});
});

/** Bundles that came from elsewhere: the first version's opens for ever, and each hostile one is refused by its rule, leaving nothing. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { importBundle } from '../../main/host/importBundle.ts';
import { RunCatalog } from '../../main/host/runCatalog.ts';
import { isBundle } from '../../main/store/bundleReading.ts';
import { readRecords } from '../../main/store/runFolder.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/bundle', import.meta.url));
const GOLDEN = path.join(FIXTURES, 'bundle-v1.zip');
const GOLDEN_ID = '3a6c935f-8384-4b61-93e2-c4cfbc28ad88';
const SAMPLE = fileURLToPath(new URL('../../resources/sample-fashion-mnist', import.meta.url));

function hasPython(): boolean {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('the bundle of version 1', { timeout: 60_000 }, () => {
  it('opens: a run with its records and best checkpoint, to be evaluated once its data is named', async () => {
    const host = startHost();
    const page = connectPage(host);
    const imported = await page.request('bundle:import', { file: GOLDEN });
    expect(imported).toMatchObject({ runId: GOLDEN_ID, name: 'golden', folder: path.join(host.catalog.root, 'golden') });
    expect(imported.notes).toEqual([
      'its data did not come along (idx "flowers", not on this machine): name it before evaluating or resuming',
    ]);
    const state = await page.request('run:state', { runId: GOLDEN_ID });
    expect(state.summary).toMatchObject({ problem: null, status: { status: 'finished', step: 9, switchStep: 2, freezeStep: 5 } });
    expect(state.summary.config.data.source).toBe('(idx "flowers", not on this machine)');
    expect([state.metrics.length, state.epochs.length, state.classNames.length]).toEqual([9, 3, 10]);
    expect(state.checkpoints).toMatchObject([{ step: 3, phase: 'warmup' }]);

    const sentence =
      'the data of this run did not come with its bundle (idx "flowers", not on this machine); name it again: ' +
      `"Name its data…" in the run's menu on the Runs screen, or prelora resume|eval DIR --data SOURCE`;
    const early = page.request('evaluate', { runId: GOLDEN_ID, checkpoint: 'best' });
    await expect(early).rejects.toMatchObject({ code: 'data-not-found', message: sentence, field: 'data.source' });
    const more = page.request('run:edit', { runId: GOLDEN_ID, changes: { 'train.epochs': 4 } });
    await expect(more).rejects.toMatchObject({ code: 'data-not-found', message: sentence });

    expect(await page.request('run:nameData', { runId: GOLDEN_ID, source: SAMPLE })).toEqual({ notes: [] });
    const scores = await page.request('evaluate', { runId: GOLDEN_ID, checkpoint: 'best' });
    const epoch = (await readRecords(imported.folder, 'epochs')).find(({ step }) => step === 3);
    expect(scores).toMatchObject({ step: 3, count: 20, valTop1: epoch?.valTop1 });
    expect(scores.valLoss).toBeCloseTo(epoch?.valLoss as number, 5);
  });

  it('comes in a second time as another run, whose id stands everywhere in its folder', async () => {
    const host = startHost();
    const page = connectPage(host);
    const first = await page.request('bundle:import', { file: GOLDEN });
    const before = contentOf(first.folder);
    const second = await page.request('bundle:import', { file: GOLDEN });
    expect(second.folder).toBe(`${first.folder}-2`);
    expect(second.notes[0]).toBe(`a run ${GOLDEN_ID} is here already: this one goes by ${second.runId}`);
    expect((await page.request('runs:list', {})).map(({ runId }) => runId).sort()).toEqual([first.runId, second.runId].sort());
    expect(contentOf(first.folder)).toEqual(before);
    const told = Object.entries(contentOf(second.folder)).filter(([, text]) => text.includes(GOLDEN_ID));
    // Only where the copy says what it is a copy of.
    expect(told.map(([name]) => name)).toEqual(['events.jsonl']);
    const [created] = await readRecords(second.folder, 'events');
    expect(created).toMatchObject({ kind: 'created', detail: { runId: second.runId, importedFrom: GOLDEN_ID } });
    await page.request('run:nameData', { runId: second.runId, source: SAMPLE });
    expect(await page.request('evaluate', { runId: second.runId, checkpoint: 'best' })).toMatchObject({ step: 3 });
  });

  it('does not become the double of a run in the trash, which may come back', async () => {
    const page = connectPage(startHost());
    const first = await page.request('bundle:import', { file: GOLDEN });
    await page.request('runs:trash', { runId: first.runId });
    const second = await page.request('bundle:import', { file: GOLDEN });
    expect(second.runId).not.toBe(first.runId);
    await page.request('runs:restore', { runId: first.runId });
    expect(await page.request('runs:list', {})).toHaveLength(2);
  });

  it('goes on with data named anew, from its best checkpoint', async () => {
    const page = connectPage(startHost());
    const { runId, folder } = await page.request('bundle:import', { file: GOLDEN });
    await page.request('run:nameData', { runId, source: SAMPLE });
    await page.request('run:edit', { runId, changes: { 'train.epochs': 4 } });
    await expect
      .poll(async () => (await page.request('run:facts', { runId })).summary.status, { timeout: 30_000 })
      .toMatchObject({
        status: 'finished',
        step: 12,
      });
    const steps = (await readRecords(folder, 'metrics')).map(({ step }) => step);
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    // Its new checkpoints know where the data lies; the next bundle does not.
    const again = await page.request('bundle:write', { runId, file: 'again.prelora.zip', weights: 'all' });
    const back = await importBundle(new RunCatalog(path.join(temporaryFolder(), 'runs')), again.file);
    for (const [name, text] of Object.entries(contentOf(back.folder))) expect(text.includes(path.dirname(SAMPLE)), name).toBe(false);
  });

  it('says when the data that is named is another, and what does not fit at all', async () => {
    const page = connectPage(startHost());
    const { runId } = await page.request('bundle:import', { file: GOLDEN });
    const other = path.join(temporaryFolder(), 'other');
    cpSync(SAMPLE, other, { recursive: true });
    for (const part of ['images-idx3', 'labels-idx1'])
      copyFileSync(path.join(other, `t10k-${part}-ubyte.gz`), path.join(other, `train-${part}-ubyte.gz`));
    const named = await page.request('run:nameData', { runId, source: other });
    expect(named.notes).toEqual(['it is not the data that the run was trained on (idx "flowers"): other images, classes or splits']);
    const nowhere = page.request('run:nameData', { runId, source: '/nowhere' });
    await expect(nowhere).rejects.toMatchObject({ code: 'data-not-found' });
  });
});

describe.skipIf(!hasPython())(`another program's zip${hasPython() ? '' : ' (skipped: no python3)'}`, () => {
  it('opens, with 64-bit records and folders of its own, and that program opens ours', async () => {
    const file = path.join(temporaryFolder(), 'repacked.zip');
    const script = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as ours, zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as theirs:
    assert ours.testzip() is None
    for name in ours.namelist():
        with theirs.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
            member.write(ours.read(name))
    theirs.writestr(zipfile.ZipInfo("run/"), b"")
`;
    execFileSync('python3', ['-c', script, GOLDEN, file]);
    const root = path.join(temporaryFolder(), 'runs');
    const theirs = await importBundle(new RunCatalog(root), file);
    const ours = await importBundle(new RunCatalog(path.join(temporaryFolder(), 'runs')), GOLDEN);
    expect(contentOf(theirs.folder)).toEqual(contentOf(ours.folder));
  });
});

describe('a hostile bundle', () => {
  const folder = path.join(FIXTURES, 'hostile');
  const expected = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Record<string, string>;

  it.each(Object.entries(expected))('%s is refused: %s', async (name, rule) => {
    const root = path.join(temporaryFolder(), 'data', 'runs');
    const failed = importBundle(new RunCatalog(root), path.join(folder, name));
    await expect(failed).rejects.toMatchObject({ code: 'unsafe-bundle', message: expect.stringContaining(rule) });
    expect(readdirSync(root)).toEqual([]);
    expect(readdirSync(path.dirname(root))).toEqual(['runs']);
  });
});

test('a bundle is told by its first member, whatever it is called', async () => {
  const folder = temporaryFolder();
  expect(await isBundle(GOLDEN)).toBe(true);
  expect(await isBundle(path.join(folder, 'gone.prelora.zip'))).toBe(true);
  expect(await isBundle(folder)).toBe(false);
  expect(await isBundle(path.join(FIXTURES, 'hostile', 'late.zip'))).toBe(false);
  expect(await isBundle(path.join(SAMPLE, 'LICENSE'))).toBe(false);
});

test('what an import that was killed left behind goes with the next one; one that is cancelled leaves nothing', async () => {
  const root = path.join(temporaryFolder(), 'runs');
  mkdirSync(path.join(root, '.import.4194305.0123abcd.tmp', 'run'), { recursive: true });
  const abort = new AbortController();
  const cancelled = importBundle(new RunCatalog(root), GOLDEN, { signal: abort.signal, onProgress: () => abort.abort() });
  await expect(cancelled).rejects.toMatchObject({ code: 'interrupted' });
  expect(readdirSync(root)).toEqual([]);
});

/** Tensors apart: path → text. */
function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(path.join(folder, name), 'latin1')]));
}

/** The screens on a scripted engine: what is pressed reaches the engine, what the engine tells is shown. Charts are read through their tables. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

/** The numbers of a chart's table view, row by row. */
async function tableOf(page: Page, title: string): Promise<string[][]> {
  const button = page.getByRole('button', { name: `${title}: table` });
  if (await button.isVisible()) await button.click();
  const region = page.getByRole('region', { name: `${title}, table` });
  return region.locator('tbody tr').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.title)));
}

describe.skipIf(!findChromium())('the page', () => {
  const browser = scriptedBrowser();

  it('starts the sample with one click from an empty screen, nothing typed', async () => {
    const { page } = await browser.open({ scenario: 'empty' });
    await page.getByRole('button', { name: 'Run the sample' }).first().click();
    await page.getByText('chosen to show the switch').waitFor();
    expect(await asked(page, 'run:sample')).toEqual([{}]);
    await page.getByText('First point after the first steps').first().waitFor();
    await page.evaluate(() => window.scripted.tick('scripted-1', 20));
    await page.getByText('step 20 of').waitFor();
  });

  it('renames and tags a run from its menu', async () => {
    const { page } = await browser.open();
    await page.getByRole('button', { name: 'Actions for flowers-a', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Rename…' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('tulips');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.getByText('Renamed flowers-a to tulips.').first().waitFor();
    await page.getByRole('button', { name: 'Actions for tulips' }).click();
    await page.getByRole('menuitem', { name: 'Tags and note…' }).click();
    await page.getByRole('dialog').getByLabel('Note').fill('the first that held');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => asked(page, 'runs:annotate')).toEqual([{ runId: 'flowers-a', tags: ['paper'], note: 'the first that held' }]);
  });

  it('imports a run bundle by its path, says what came, opens it, and names its data', async () => {
    const { page } = await browser.open();
    await page.getByRole('button', { name: 'Import…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Import a run' });
    await dialog.getByLabel('Run bundle').fill('/home/me/notes.txt');
    await page.keyboard.press('Enter');
    await page.getByText('bundle.json: is not the first member: this is no run bundle').first().waitFor();
    await page.getByRole('button', { name: 'Import…' }).click();
    await dialog.getByLabel('Run bundle').fill('/home/me/tulips.prelora.zip');
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await page.getByText('Imported tulips. Its data did not come along (folder "tulips", not on this machine)').first().waitFor();
    expect(await asked(page, 'bundle:import')).toEqual([{ file: '/home/me/notes.txt' }, { file: '/home/me/tulips.prelora.zip' }]);
    await page.getByRole('button', { name: 'Actions for tulips' }).click();
    await page.getByRole('menuitem', { name: 'Name its data…' }).click();
    await page.getByRole('dialog').getByLabel('Source').fill('/data/tulips');
    await page.getByRole('dialog').getByRole('button', { name: 'Name', exact: true }).click();
    await page.getByText('The data of tulips is named').first().waitFor();
    expect(await asked(page, 'run:nameData')).toEqual([{ runId: 'scripted-1', source: '/data/tulips' }]);
    await page.getByRole('link', { name: 'Open the run' }).click();
    await page.waitForURL(/#\/run\/scripted-1\/live/);
  });

  it('imports a bundle that is dropped on the desktop window, on whatever screen; a browser asks for its path', async () => {
    const desktop = await browser.open({ scenario: 'desktop', route: '#/new' });
    await desktop.page.evaluate(() => window.scripted.emit('shell:dropped', { path: '/home/me/tulips.prelora.zip' }));
    await desktop.page.getByText('Imported tulips.').first().waitFor();
    expect(await asked(desktop.page, 'bundle:import')).toEqual([{ file: '/home/me/tulips.prelora.zip' }]);
    expect(await desktop.page.locator('[data-field="data.source"] input').inputValue()).not.toContain('tulips');

    const { page } = await browser.open();
    const dropped = await page.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(['PK'], 'tulips.prelora.zip'));
      return data;
    });
    await page.dispatchEvent('main', 'drop', { dataTransfer: dropped });
    await page.getByRole('dialog', { name: 'Import a run' }).waitFor();
  });

  it('shows after a reload the numbers of the files, without gap or double', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    for (let i = 0; i < 5; i++) await page.evaluate(() => window.scripted.tick('flowers-b', 40));
    await page.getByText('step 3,300 of').waitFor();
    const rows = await tableOf(page, 'Throughput, memory');
    const steps = rows.map(([step]) => Number(step));
    expect(steps.at(-1)).toBe(3300);
    expect(steps.every((step, i) => i === 0 || step - (steps[i - 1] ?? 0) === 10)).toBe(true);
  });

  it('says the time left, and the time left if it switches at the next test', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.evaluate(() => window.scripted.tick('flowers-b', 10));
    await page.getByText(/^\d+\smin left, ≈ \d+\smin if it switches at the next test$/).waitFor();
    expect(await asked(page, 'switch:preview')).toEqual([{ runId: 'flowers-b', settings: {} }]);
  });

  it('pauses and resumes, and says so', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.evaluate(() => {
      window.scripted.latencyMs = 500;
    });
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByText('Pausing after this step').first().waitFor();
    await page.evaluate(() => {
      window.scripted.latencyMs = 0;
    });
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    expect(await asked(page, 'run:pause')).toHaveLength(1);
    expect(await asked(page, 'run:resume')).toHaveLength(1);
  });

  it('edits τ by field, by arrow keys and by drag; nothing changes before Apply', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const handle = page.getByRole('slider', { name: 'τ weight threshold' });
    await handle.focus();
    await page.keyboard.press('ArrowUp');
    await page.getByText('τ 0.80 % → 0.81 %').waitFor();
    // The draft's banner moves the charts, which are drawn by turns: hovering waits until the handle rests.
    await handle.hover();
    const box = (await handle.boundingBox())!;
    await page.mouse.down();
    await page.mouse.move(box.x + 12, box.y - 30, { steps: 4 });
    await page.mouse.up();
    expect(Number(await handle.getAttribute('aria-valuenow'))).toBeGreaterThan(0.82);
    await page.getByLabel('τ', { exact: true }).fill('1.5');
    await page.keyboard.press('Enter');
    expect(await asked(page, 'run:edit')).toHaveLength(0);
    await page.getByRole('button', { name: 'Apply', exact: true }).click();
    await page.getByText('τ 0.80 % → 1.50 %').first().waitFor();
    expect(await asked(page, 'run:edit')).toMatchObject([{ changes: { 'prelora.tau': 1.5 } }]);
  });

  it('keeps the verdict of the engine and the numbers of replay in the table', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const rows = await tableOf(page, 'Change per family against τ');
    const replay = await page.evaluate(() => window.scripted.handlers.replay({ runId: 'flowers-b', settings: {} }));
    expect(rows.map((row) => row.slice(0, 8).map(Number))).toEqual(
      replay.windows.map(({ step, families, lossChange }) => [
        step,
        ...['q', 'k', 'v', 'proj', 'fc1', 'fc2'].map((family) => families[family]),
        lossChange,
      ]),
    );
  });

  it('asks before it stops and discards by naming both, and brings the run back', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('menuitem', { name: /Stop and discard/ }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    expect(await asked(page, 'runs:restore')).toEqual([{ runId: 'flowers-b' }]);
  });

  it('switches with exactly the ranks on the map', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/switch' });
    await page.click('[data-cell="0-0"]');
    await page.keyboard.type('2');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowRight');
    await page.getByRole('button', { name: 'No adapter' }).click();
    await page.getByText('3 set by hand').waitFor();
    await page.keyboard.press('Control+z');
    await page.getByText('1 set by hand').waitFor();
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByText('5.24 GiB').waitFor();
    await page.getByRole('button', { name: 'Switch at the next step' }).click();
    const [sent] = (await asked(page, 'switch:now')) as { ranks: Record<string, number> }[];
    expect(sent?.ranks['blocks.0.attn.q']).toBe(2);
    expect(Object.keys(sent?.ranks ?? {})).toHaveLength(72);
    await page.getByText('This is the record').waitFor();
    await page.getByRole('button', { name: 'Undo switch' }).click();
    await page.getByRole('button', { name: 'Switch at the next step' }).waitFor();
  });

  it('defers and vetoes', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/switch' });
    await page.getByRole('button', { name: 'Defer…' }).click();
    await page.getByLabel(/until every module/).check();
    await page.getByRole('button', { name: 'Defer', exact: true }).click();
    expect(await asked(page, 'switch:defer')).toEqual([{ runId: 'flowers-b', until: { allModules: true } }]);
    await page.getByRole('button', { name: 'Not now' }).click();
    expect(await asked(page, 'switch:veto')).toHaveLength(1);
  });

  it('shows a schema violation at its field, and starts what the form says', async () => {
    const { page } = await browser.open({ route: '#/new' });
    await page.getByRole('button', { name: /2 Model/ }).click();
    await page.getByLabel('Image size', { exact: true }).fill('32');
    await page.getByLabel('Patch size', { exact: true }).fill('5');
    const field = page.locator('[data-field="model.patchSize"]');
    await field.getByText(/does not divide/).waitFor();
    await page.keyboard.press('F8');
    await page.getByLabel('Patch size', { exact: true }).fill('4');
    await page.getByRole('button', { name: /4 PreLoRA/ }).click();
    await page.getByLabel(/Weight threshold/).fill('0.7');
    await page.getByText('first test').waitFor();
    await page.waitForFunction(() => !document.querySelector('.problems'));
    await page.keyboard.press('Control+Enter');
    await page.waitForURL(/#\/run\//);
    expect(await asked(page, 'run:start')).toMatchObject([{ config: { model: { imageSize: 32, patchSize: 4 }, prelora: { tau: 0.7 } } }]);
  });

  it('answers a what-if as replay does', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/what-if' });
    await page.getByLabel('τ', { exact: true }).fill('1.6');
    await page.keyboard.press('Enter');
    const { switchStep } = await page.evaluate(() => window.scripted.handlers.replay({ runId: 'flowers-a', settings: { tau: 1.6 } }));
    await page
      .locator('.headline', { hasText: switchStep === null ? 'No switch' : `step ${switchStep.toLocaleString('en-US')}` })
      .waitFor();
    expect(await asked(page, 'run:edit')).toHaveLength(0);
  });

  it('answers a what-if on snapshots that lie anywhere, named by their path', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/what-if' });
    await page.getByRole('button', { name: 'Other snapshots…' }).click();
    const field = page.getByLabel('Snapshots');
    expect(await page.getByRole('button', { name: 'Open', exact: true }).getAttribute('aria-disabled')).toBe('true');
    await field.fill('/no/such.jsonl');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('/no/such.jsonl: not found').waitFor();
    const file = '/mnt/archive/flowers/snapshots.jsonl';
    await field.fill(file);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByText('without their run, so with the default settings').waitFor();
    await page.getByLabel('τ', { exact: true }).fill('1.6');
    await page.keyboard.press('Enter');
    const { switchStep } = await page.evaluate(() => window.scripted.handlers.replay({ runId: 'flowers-a', settings: { tau: 1.6 } }));
    await page.locator('.headline', { hasText: `step ${switchStep?.toLocaleString('en-US')}` }).waitFor();
    expect((await asked(page, 'replay:file')).at(-1)).toEqual({ path: file, settings: { tau: 1.6 } });
    // The address names the file: a reload opens it again.
    expect(decodeURIComponent(new URL(page.url()).hash)).toBe(`#/what-if/${file}`);
    await page.getByRole('button', { name: 'New run' }).click();
    await page.getByRole('button', { name: /4 PreLoRA/ }).click();
    expect(await page.getByLabel(/Weight threshold/).inputValue()).toBe('1.6');
  });

  it('tells of a crash and offers to resume from the last checkpoint', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.evaluate(() => window.scripted.crash('flowers-b'));
    await page.getByText('The trainer ended unexpectedly').waitFor();
    await page.getByText('Saved up to step 2,850; resuming repeats 250 steps.').waitFor();
    await page.getByRole('alert').getByRole('button', { name: 'Resume' }).click();
    expect(await asked(page, 'run:resume')).toHaveLength(1);
  });

  it('offers after memory ran out a fork with the micro-batch that fits', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.evaluate(() => window.scripted.crashForMemory('flowers-b'));
    await page.getByText('Micro-batches of 128 need about 5.20 GiB, 3.10 GiB could be had').waitFor();
    await page.getByRole('button', { name: 'Fork with micro-batches of 64' }).click();
    expect(await asked(page, 'run:fork')).toEqual([{ runId: 'flowers-b', changes: { 'train.microBatch': 64 } }]);
  });

  it('evaluates two checkpoints beside each other, and shows the confusion of either', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/evaluate' });
    await page.getByLabel('beside').selectOption({ label: 'step 4,250, Full, before the switch' });
    await page.getByRole('button', { name: 'Evaluate on' }).click();
    const table = page.getByRole('table', { name: 'Two checkpoints' });
    await table.getByText(/points, more than the intervals/).waitFor();
    expect(await table.locator('tbody th').allTextContents()).toEqual(['4,250', '15,000', 'difference']);
    expect(await asked(page, 'evaluate')).toEqual([
      { runId: 'flowers-a', checkpoint: 'best' },
      { runId: 'flowers-a', checkpoint: 4250 },
    ]);
    const first = page.locator('[data-cell="0-0"]');
    const newer = await first.textContent();
    await page.getByText('step 4,250', { exact: true }).click();
    expect(Number(await first.textContent())).toBeLessThan(Number(newer));
  });

  it('exports for another program, tells each check, the files and how to load them, and lists what lies in the run', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/export' });
    await page.getByText('PEFT adapter').click();
    await page.getByLabel('checkpoint').first().selectOption('last');
    await page.getByLabel('also the merged model').check();
    await page.getByRole('button', { name: 'Export and verify' }).click();
    await page.getByText('Everything that was read back is what was exported.').waitFor();
    expect(await page.getByRole('list', { name: 'Checks' }).getByRole('listitem').count()).toBe(5);
    await page.getByText('64 images, largest difference 3.1e-6 (limit 1.2e-4), every first class equal').waitFor();
    await page.getByText('PeftModel.from_pretrained').waitFor();
    expect(await asked(page, 'run:export')).toEqual([
      { runId: 'flowers-a', folder: null, settings: { format: 'peft', checkpoint: 'last', names: 'both', withMerged: true } },
    ]);
    const stored = page.getByRole('region', { name: 'In the run’s folder' });
    await stored.getByRole('row', { name: /PEFT adapter 15,000 LoRA .* ✓ verified .*exports\/peft-step-15000/ }).waitFor();
    await page.getByText('5 files', { exact: true }).click();
    await page.getByRole('row', { name: /adapter\/adapter_config.json 1 KiB/ }).waitFor();
    await browser.go(page, { route: '#/run/flowers-b/export' });
    await page.getByText('PEFT adapter').click();
    await page.getByText('there are no adapters before the switch').first().waitFor();
  });

  it('tells each step while it writes', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/export' });
    await page.evaluate(() => window.scripted.exports.hold());
    await page.getByRole('button', { name: 'Export and verify' }).click();
    const steps = page.getByRole('log', { name: 'Steps so far' }).getByRole('listitem');
    await steps.filter({ hasText: 'reading back and comparing every file …' }).waitFor();
    expect(await steps.allTextContents()).toEqual(['writing the files', 'reading back and comparing every file …']);
    await page.getByRole('button', { name: 'Writing and checking…' }).waitFor();
    await page.evaluate(() => window.scripted.exports.release());
    await page.getByText('Everything that was read back is what was exported.').waitFor();
    expect(await steps.count()).toBe(0);
  });

  it('says of an export what is wrong with it, what could not be checked, and what it may not replace', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/export', scenario: 'desktop' });
    const write = page.getByRole('button', { name: 'Export and verify' });
    await page.evaluate(() => window.scripted.exports.judge('failed'));
    await write.click();
    await page.getByRole('alert').getByText('The folder is not what was exported; do not use it.').waitFor();
    await page.getByText('blocks.3.attn.q.weight[17]: is 0.0183, not 0.0181').waitFor();
    await page.getByText('✗ unverified').waitFor();
    await page.evaluate(() => window.scripted.exports.judge('partial'));
    await write.click();
    await page.getByText('What could be checked is right; not every check could be run.').waitFor();
    await page.getByText("the run's images are not here: /data/flowers: not found").waitFor();
    await page.getByLabel('into').fill('/home/me/taken');
    await write.click();
    await page.getByRole('alert').getByText('/home/me/taken exists; choose another place').waitFor();
    await page.getByLabel('replace an export that is there').check();
    await page.getByLabel('into').fill('/home/me/free');
    await write.click();
    await page.getByText('/home/me/free').waitFor();
    expect((await asked(page, 'run:export')).at(-1)).toMatchObject({ folder: '/home/me/free', settings: { format: 'hf', force: true } });
  });

  it('writes the run as one file, by a name in the browser', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/export' });
    await page.getByRole('region', { name: 'Run bundle' }).getByText('all', { exact: true }).click();
    await page.getByRole('button', { name: 'Write a bundle' }).click();
    await page.getByText('/data/prelora/bundles/flowers-a-step-15000.prelora.zip, 37 MiB, checkpoint of step 2,750').waitFor();
    expect(await asked(page, 'bundle:write')).toEqual([{ runId: 'flowers-a', file: 'flowers-a-step-15000.prelora.zip', weights: 'all' }]);
  });

  it('merges adapters and says what the check found; before the switch it says why not', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/export' });
    await page.getByRole('button', { name: 'Merge and check' }).click();
    await page.getByText('72 adapters of step 15,000 merged, read back: both compute the same.').waitFor();
    await page.getByText('Logits of 64 images: largest difference 3.1e-6 (limit 1.2e-4)').waitFor();
    expect(await asked(page, 'run:merge')).toEqual([{ runId: 'flowers-a', checkpoint: 'last' }]);
    await browser.go(page, { route: '#/run/flowers-b/export' });
    await page.getByText('there are no adapters before the switch').waitFor();
  });

  it('keeps a draft as a template, begins with it again, and takes it away with a way back', async () => {
    const { page } = await browser.open({ route: '#/new' });
    await page.getByRole('button', { name: /3 Recipe/ }).click();
    await page.getByLabel('Epochs', { exact: true }).fill('7');
    await page.getByRole('button', { name: 'Templates' }).click();
    await page.getByRole('menuitem', { name: /Keep as a template/ }).click();
    await page.getByLabel('Name', { exact: true }).fill('sample');
    await page.getByText('A shipped preset has this name.').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('seven');
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    const preset = page.getByLabel('Preset');
    await expect.poll(() => preset.inputValue()).toBe('seven');
    expect(await asked(page, 'presets:save')).toMatchObject([{ name: 'seven', config: { train: { epochs: 7 } } }]);
    await preset.selectOption('sample');
    await preset.selectOption('seven');
    expect(await page.getByLabel('Epochs', { exact: true }).inputValue()).toBe('7');
    await page.getByRole('button', { name: 'Templates' }).click();
    await page.getByRole('menuitem', { name: 'Take away seven' }).click();
    await expect.poll(() => preset.inputValue()).toBe('');
    await page.locator('.toast').getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => preset.inputValue()).toBe('seven');
  });

  it('shows what augmentation makes of an image, and which images are in both splits', async () => {
    const { page } = await browser.open({ route: '#/new' });
    await page.getByRole('button', { name: 'Look at the data' }).click();
    await page.getByText('2 of 10,000 validation images are training images too').click();
    await page.getByText('val/Bag/0103.png is train/Bag/0007.png').waitFor();
    await page.getByRole('button', { name: 'Preview the augmentation' }).click();
    await page.getByText('70 % T-shirt + 30 % Dress').first().waitFor();
    expect(await page.getByRole('img', { name: /^Draw \d+$/ }).count()).toBe(12);
    await page.getByRole('button', { name: 'Next image' }).click();
    await page.getByText('Training image 2 of').waitFor();
    expect(await asked(page, 'data:augment')).toMatchObject([{ sample: 0 }, { sample: 1 }]);
  });

  it('compares by what differs alone', async () => {
    const { page } = await browser.open({ route: '#/compare/flowers-a,flowers-full' });
    const table = page.getByRole('region', { name: 'Settings and results' });
    await table.getByText('Switching').waitFor();
    expect(await table.locator('tr.differs th').allTextContents()).toEqual(['Random seed', 'Switching']);
  });

  it('tells the reason and the cure when the runs cannot be read', async () => {
    const { page } = await browser.open({ scenario: 'broken' });
    await page.getByText('permission denied').waitFor();
    await page.getByRole('button', { name: 'Read again' }).click();
    expect(await asked(page, 'runs:list')).toHaveLength(2);
  });

  it('works by keyboard alone: regions, rows, palette, tabs', async () => {
    const { page } = await browser.open();
    await page.locator('[data-row="0"]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(/flowers-full\/live/);
    await page.keyboard.press('Control+3');
    await page.waitForURL(/layers/);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('appdark');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
    await page.keyboard.press('F6');
    expect(await page.evaluate(() => document.activeElement?.closest('[data-region]') !== null)).toBe(true);
  });

  it('never breaks its own content security policy', async () => {
    for (const route of ['#/runs', '#/run/flowers-a/live', '#/run/flowers-b/switch', '#/new', '#/settings']) {
      const { page, complaints } = await browser.open({ route });
      await page.waitForTimeout(300);
      expect(complaints).toEqual([]);
    }
  });
});

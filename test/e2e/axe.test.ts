/**
 * axe on every screen in each of its states, with dialogs, menus and the palette open, in the three themes: no violation, no rule off.
 * Each scene is made once, in one page, and looked at in every theme, which follows the system's wish.
 */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { scriptedBrowser } from './support/scriptedBrowser.ts';

const THEMES = [
  { theme: 'light', colorScheme: 'light', contrast: 'no-preference' },
  { theme: 'dark', colorScheme: 'dark', contrast: 'no-preference' },
  { theme: 'contrast', colorScheme: 'dark', contrast: 'more' },
] as const;
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const NEVER = 1e6;

interface Scene {
  route: string;
  scenario?: 'full' | 'desktop' | 'gpu' | 'empty' | 'broken' | 'torn';
  latency?: number;
  act?: (page: Page) => Promise<unknown>;
}

const press = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name, exact: true }).first().click();
const live = '#/run/flowers-b/live';

/** Starts a run that has no record yet, and goes to one of its screens. */
const fresh = (tab: string) => async (page: Page) => {
  await page.evaluate(() => window.workbench?.request('run:start', { config: { name: 'fresh' } }));
  await page.evaluate((to) => {
    location.hash = `#/run/scripted-1/${to}`;
  }, tab);
  await page.getByRole('heading', { name: 'fresh' }).waitFor();
};

/** Charts take their colours with the frame after the theme's. */
function painted(page: Page): Promise<void> {
  return page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
}

/** What axe finds wrong. Only that is gathered: describing all that is right takes longer than looking. */
async function lookedAt(page: Page, bringAxe: boolean): Promise<string[]> {
  const axe = new AxeBuilder({ page, ...(!bringAxe && { axeSource: ';' }) }).options({ resultTypes: ['violations'] }).withTags(TAGS);
  // There are no frames, for which alone the other mode opens a second page each time.
  const { violations } = await axe.setLegacyMode(true).analyze();
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join(' | ')}`,
  );
}

const SCENES: Record<string, Scene> = {
  Runs: { route: '#/runs' },
  'Runs, empty': { route: '#/runs', scenario: 'empty' },
  'Runs, busy': { route: '#/runs', latency: NEVER },
  'Runs, broken': { route: '#/runs', scenario: 'broken' },
  'Runs, selected, with tags': {
    route: '#/runs',
    act: async (page) => {
      await page.getByRole('checkbox', { name: 'Select flowers-a', exact: true }).check();
      await page.getByRole('button', { name: 'Tag…' }).click();
    },
  },
  'Runs, rename dialog': {
    route: '#/runs',
    act: async (page) => {
      await page.locator('[data-row="0"]').focus();
      await page.keyboard.press('F2');
      await page.getByRole('dialog').waitFor();
    },
  },
  'Runs, a trainer died': {
    route: '#/runs',
    act: async (page) => {
      await page.evaluate(() => window.scripted.crash('flowers-b'));
      await page.getByRole('dialog', { name: /the trainer ended unexpectedly/ }).waitFor();
    },
  },
  'Runs, row menu': { route: '#/runs', act: press('Actions for flowers-a') },
  'Runs, import': { route: '#/runs', act: press('Import…') },
  'Live, empty': { route: '#/runs', act: fresh('live') },
  'Live, busy': { route: live, latency: NEVER },
  'Live, Full phase': { route: live },
  'Live, Joint phase, stopped': { route: '#/run/flowers-joint/live' },
  'Live, LoRA phase': { route: '#/run/flowers-a/live' },
  'Live, paused': { route: '#/run/flowers-full/live' },
  'Live, tables': { route: live, act: press('All charts as tables') },
  'Live, edit dialog': { route: live, act: press('Edit…') },
  'Live, extend dialog': { route: live, act: press('Extend…') },
  'Live, run N dialog': {
    route: live,
    act: async (page) => {
      await press('Run N')(page);
      await page.getByRole('menuitem', { name: 'Other…' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  'Live, more menu': { route: live, act: press('More') },
  'Live, stop menu': { route: live, act: press('Stop') },
  'Live, note': { route: live, act: press('Note') },
  'Live, threshold tried': { route: live, act: (page) => page.getByRole('slider', { name: 'τ weight threshold' }).press('ArrowUp') },
  'Live, broken: crashed': { route: live, act: (page) => page.evaluate(() => window.scripted.crash('flowers-b')) },
  'Live, proposal': { route: live, act: (page) => page.evaluate(() => window.scripted.propose('flowers-b')) },
  'a run with a torn record': { route: '#/run/torn/live', scenario: 'torn' },
  'a damaged run': { route: '#/run/flowers-damaged/live' },
  'Switch, empty': { route: '#/runs', act: fresh('switch') },
  'Switch, preview': { route: '#/run/flowers-b/switch', act: (page) => page.click('[data-cell="2-3"]') },
  'Switch, defer dialog': { route: '#/run/flowers-b/switch', act: press('Defer…') },
  'Switch, record': { route: '#/run/flowers-a/switch' },
  'Layers, empty': { route: '#/runs', act: fresh('layers') },
  Layers: { route: '#/run/flowers-a/layers' },
  'Layers, ranks': { route: '#/run/flowers-a/layers', act: (page) => page.getByText('rank', { exact: true }).first().click() },
  'Layers, distribution': {
    route: '#/run/flowers-a/layers',
    act: async (page) => {
      await page.getByRole('button', { name: 'Distribution…' }).click();
      await page.getByRole('row', { name: /^step / }).waitFor();
    },
  },
  'What-if, empty': { route: '#/runs', act: fresh('what-if') },
  'What-if': { route: '#/run/flowers-b/what-if' },
  'What-if of a file, none yet': { route: '#/what-if/' },
  'What-if of a file, not there': { route: `#/what-if/${encodeURIComponent('/no/such.jsonl')}` },
  'What-if of a file': {
    route: `#/what-if/${encodeURIComponent('/runs/flowers/snapshots.jsonl')}`,
    act: (page) => page.getByText('with the default settings').waitFor(),
  },
  'Evaluate, empty': { route: '#/run/flowers-b/evaluate' },
  'Evaluate, full': {
    route: '#/run/flowers-b/evaluate',
    act: async (page) => {
      await page.getByRole('button', { name: 'Evaluate on' }).click();
      await page.getByRole('button', { name: 'Classify' }).click();
      await page.getByRole('region', { name: 'Confusion matrix' }).waitFor();
    },
  },
  'Evaluate, two checkpoints': {
    route: '#/run/flowers-a/evaluate',
    act: async (page) => {
      await page.getByLabel('beside').selectOption({ index: 3 });
      await page.getByRole('button', { name: 'Evaluate on' }).click();
      await page.getByRole('table', { name: 'Two checkpoints' }).waitFor();
    },
  },
  Export: { route: '#/run/flowers-b/export' },
  'Export, busy': {
    route: '#/run/flowers-a/export',
    act: async (page) => {
      await page.evaluate(() => window.scripted.exports.hold());
      await page.getByRole('button', { name: 'Export and verify' }).click();
      await page.getByText('reading back and comparing every file …').waitFor();
    },
  },
  'Export, written': {
    route: '#/run/flowers-a/export',
    act: async (page) => {
      await page.getByText('PEFT adapter').click();
      await page.getByRole('button', { name: 'Export and verify' }).click();
      await page.getByText('Everything that was read back is what was exported.').waitFor();
      await page.getByText('5 files', { exact: true }).click();
    },
  },
  'Export, failed': {
    route: '#/run/flowers-a/export',
    scenario: 'desktop',
    act: async (page) => {
      await page.evaluate(() => window.scripted.exports.judge('failed'));
      await page.getByRole('button', { name: 'Export and verify' }).click();
      await page.getByText('The folder is not what was exported; do not use it.').waitFor();
    },
  },
  'Export, merged': {
    route: '#/run/flowers-a/export',
    act: async (page) => {
      await page.getByRole('button', { name: 'Merge and check' }).click();
      await page.getByText('both compute the same').waitFor();
    },
  },
  'Live, broken: memory ran out': { route: live, act: (page) => page.evaluate(() => window.scripted.crashForMemory('flowers-b')) },
  'Live, disk low': { route: live, act: (page) => page.evaluate(() => window.scripted.fillDisk('flowers-b')) },
  'Live, on a GPU': { route: live, scenario: 'gpu' },
  'Switch, record, on a GPU': { route: '#/run/flowers-a/switch', scenario: 'gpu' },
  'Live, on battery, after a sleep': {
    route: live,
    scenario: 'desktop',
    act: async (page) => {
      await page.evaluate(() => window.scripted.sleep('flowers-b', 2580));
      await page.evaluate(() => window.scripted.unplug());
      await page.getByText('This machine trains on battery.').waitFor();
    },
  },
  'Live, paused for the disk': { route: live, act: (page) => page.evaluate(() => window.scripted.fillDisk('flowers-b', { isFull: true })) },
  Config: { route: '#/run/flowers-b/config' },
  'New run': { route: '#/new' },
  'New run, template dialog': {
    route: '#/new',
    act: async (page) => {
      await press('Templates')(page);
      await page.getByRole('menuitem', { name: /Keep as a template/ }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  'New run, manual switching in the queue': {
    route: '#/new',
    act: async (page) => {
      await page.getByRole('button', { name: /4 PreLoRA/ }).click();
      await page.locator('[data-field="prelora.switching"] select').selectOption('manual');
      await press('Add to the queue')(page);
      await page.getByRole('dialog').waitFor();
    },
  },
  'New run, data report, augmentation': {
    route: '#/new',
    act: async (page) => {
      await press('Look at the data')(page);
      await press('Preview the augmentation')(page);
      await page.getByText('as it is stored, then').waitFor();
    },
  },
  'New run, all fields with a problem': {
    route: '#/new',
    act: async (page) => {
      await page.getByText('All', { exact: true }).click();
      await page.getByRole('button', { name: /2 Model/ }).click();
      await page.getByLabel('Patch size').fill('5');
      await page.getByText('1 problem', { exact: true }).waitFor();
    },
  },
  'New run, start weights': {
    route: '#/new',
    act: async (page) => {
      await page.getByRole('button', { name: /2 Model/ }).click();
      await page.getByLabel('Start weights', { exact: true }).fill('/models/vit-tiny');
      await page.keyboard.press('Tab');
      await page.getByRole('button', { name: 'Take the sizes' }).click();
      await page.getByText('Weights of Hugging Face').waitFor();
    },
  },
  'New run, YAML': { route: '#/new', act: (page) => page.getByText('YAML', { exact: true }).click() },
  Compare: { route: '#/compare/flowers-a,flowers-full' },
  'Compare, tensors': {
    route: '#/compare/flowers-a,flowers-full',
    act: async (page) => {
      await page.getByRole('button', { name: 'Compare tensors' }).click();
      await page.getByRole('region', { name: 'Tensors that differ' }).waitFor();
    },
  },
  'Compare, busy': { route: '#/compare/flowers-a,flowers-full', latency: NEVER },
  'Compare, broken': { route: '#/compare/flowers-a,flowers-damaged' },
  'Compare, empty': { route: '#/compare/' },
  'Compare, groups': {
    route: '#/compare/flowers-a,flowers-a-seed4,flowers-full',
    act: (page) => page.getByLabel('group all but random seed').check(),
  },
  Queue: { route: '#/queue' },
  'Queue, empty': { route: '#/queue', scenario: 'empty' },
  'New run, study': { route: '#/new', act: press('Vary…') },
  Settings: { route: '#/settings' },
  'Settings, desktop app': { route: '#/settings', scenario: 'desktop', act: (page) => page.getByLabel('Disk low').waitFor() },
  'Settings, clean up': {
    route: '#/settings',
    act: async (page) => {
      await page.getByRole('button', { name: 'Clean up checkpoints…' }).click();
      await page.getByText('steps that would go').waitFor();
    },
  },
  'Settings, delete for good': { route: '#/settings', act: press('Delete for good: flowers-first-try') },
  'Settings, empty the trash': {
    route: '#/settings',
    act: async (page) => {
      await press('Empty the trash…')(page);
      await page.getByLabel('Type empty to confirm').fill('empty');
    },
  },
  'Settings, licences': { route: '#/settings', act: press('Show all licences') },
  'Settings, self-tests': {
    route: '#/settings',
    act: async (page) => {
      await press('Self-test of TensorFlow (CPU)')(page);
      await page.getByText('per step').waitFor();
      await press('Self-test of WebAssembly')(page);
      await page.getByText('no WebAssembly SIMD').waitFor();
    },
  },
  'Settings, damaged engine': {
    route: '#/settings',
    act: async (page) => {
      await page.evaluate(() => window.scripted.damageEngine());
      await page.getByText('missing or cut').waitFor();
    },
  },
  'Settings, remove an engine': { route: '#/settings', act: press('Remove TensorFlow (CPU)') },
  'Settings, installing': { route: '#/settings', act: press('Install for NVIDIA GPU') },
  palette: { route: '#/runs', act: (page) => page.keyboard.press('Control+k') },
  shortcuts: { route: '#/runs', act: (page) => page.keyboard.press('Control+?') },
};

describe.skipIf(!findChromium())('axe finds nothing in', () => {
  const browser = scriptedBrowser({ keep: true });
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    ({ page, complaints } = await browser.open({ theme: 'system' }));
  });

  it.each(Object.entries(SCENES))('%s', async (_, { act, ...scene }) => {
    complaints.length = 0;
    await browser.go(page, scene);
    await act?.(page);
    expect(await page.locator('.crashed').count()).toBe(0);
    // Panels of a run appear one by one, a frame apart.
    await page.waitForTimeout(100);
    const found: string[] = [];
    for (const [index, { theme, ...media }] of THEMES.entries()) {
      await page.emulateMedia(media);
      await page.locator(`html[data-theme="${theme}"]`).waitFor({ state: 'attached' });
      await painted(page);
      // axe stays in the page: only its first look at a scene brings the half megabyte along.
      found.push(...(await lookedAt(page, index === 0)).map((words) => `${theme}: ${words}`));
    }
    expect(found).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

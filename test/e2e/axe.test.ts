/** axe on every screen, in its states, with dialogs, menus and the palette open, in the three themes: no violation, no rule off. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { scriptedBrowser } from './support/scriptedBrowser.ts';

const THEMES = ['light', 'dark', 'contrast'] as const;

interface Scene {
  name: string;
  route: string;
  scenario?: 'full' | 'empty' | 'broken';
  act?: (page: Page) => Promise<unknown>;
}

const SCENES: Scene[] = [
  { name: 'Runs', route: '#/runs' },
  { name: 'Runs, empty', route: '#/runs', scenario: 'empty' },
  { name: 'Runs, broken', route: '#/runs', scenario: 'broken' },
  {
    name: 'Runs, row menu',
    route: '#/runs',
    act: (page) => page.getByRole('button', { name: 'Actions for flowers-a', exact: true }).click(),
  },
  { name: 'Live, Full phase', route: '#/run/flowers-b/live' },
  { name: 'Live, LoRA phase', route: '#/run/flowers-a/live' },
  {
    name: 'Live, tables',
    route: '#/run/flowers-b/live',
    act: (page) => page.getByRole('button', { name: 'All charts as tables' }).click(),
  },
  { name: 'Live, edit dialog', route: '#/run/flowers-b/live', act: (page) => page.getByRole('button', { name: 'Edit…' }).click() },
  { name: 'Live, extend dialog', route: '#/run/flowers-b/live', act: (page) => page.getByRole('button', { name: 'Extend…' }).click() },
  {
    name: 'Live, stop menu',
    route: '#/run/flowers-b/live',
    act: (page) => page.getByRole('button', { name: 'Stop', exact: true }).click(),
  },
  { name: 'Live, crashed', route: '#/run/flowers-b/live', act: (page) => page.evaluate(() => window.scripted.crash('flowers-b')) },
  { name: 'Live, proposal', route: '#/run/flowers-b/live', act: (page) => page.evaluate(() => window.scripted.propose('flowers-b')) },
  { name: 'a damaged run', route: '#/run/flowers-damaged/live' },
  { name: 'Switch, preview', route: '#/run/flowers-b/switch' },
  { name: 'Switch, defer dialog', route: '#/run/flowers-b/switch', act: (page) => page.getByRole('button', { name: 'Defer…' }).click() },
  { name: 'Switch, record', route: '#/run/flowers-a/switch' },
  { name: 'Layers', route: '#/run/flowers-a/layers' },
  { name: 'What-if', route: '#/run/flowers-b/what-if' },
  { name: 'Evaluate, empty', route: '#/run/flowers-b/evaluate' },
  {
    name: 'Evaluate, full',
    route: '#/run/flowers-b/evaluate',
    act: async (page) => {
      await page.getByRole('button', { name: 'Evaluate on' }).click();
      await page.getByRole('button', { name: 'Classify' }).click();
      await page.getByRole('region', { name: 'Confusion matrix' }).waitFor();
    },
  },
  { name: 'Export', route: '#/run/flowers-b/export' },
  { name: 'Config', route: '#/run/flowers-b/config' },
  { name: 'New run', route: '#/new' },
  {
    name: 'New run, all fields with a problem',
    route: '#/new',
    act: async (page) => {
      await page.getByText('All', { exact: true }).click();
      await page.getByRole('button', { name: /2 Model/ }).click();
      await page.getByLabel('Patch size').fill('5');
      await page.getByText('1 problem', { exact: true }).waitFor();
    },
  },
  { name: 'New run, YAML', route: '#/new', act: (page) => page.getByText('YAML', { exact: true }).click() },
  { name: 'Compare', route: '#/compare/flowers-a,flowers-full' },
  { name: 'Compare, empty', route: '#/compare/' },
  { name: 'Settings', route: '#/settings' },
  { name: 'palette', route: '#/runs', act: (page) => page.keyboard.press('Control+k') },
  { name: 'shortcuts', route: '#/runs', act: (page) => page.keyboard.press('Control+?') },
];

describe.skipIf(!findChromium()).each(THEMES)('%s', (theme) => {
  const browser = scriptedBrowser();

  it.each(SCENES.map((scene) => [scene.name, scene] as const))('%s', async (_, { route, scenario, act }) => {
    const { page, complaints } = await browser.open({ route, theme, ...(scenario && { scenario }) });
    await page.waitForTimeout(150);
    await act?.(page);
    await page.waitForTimeout(150);
    const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join(' | ')}`),
    ).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

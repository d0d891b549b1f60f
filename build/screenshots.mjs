#!/usr/bin/env node
/**
 * `npm run screenshots [folder [name…]]`: the six pictures of the README into docs/screenshots/, or every screen (or those named) in
 * all themes and both sizes into the folder given. Fixed data, clock and locale, so that two runs give the same pictures.
 */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { buildPage, bundleEngine, launch, openPage, servePage } from './scriptedPage.mjs';
import { root } from './transpile.mjs';

const click = (name) => (page) => page.getByRole('button', { name }).first().click();

/** The best six. */
const BEST = [
  { name: 'live', route: '#/run/flowers-b/live' },
  { name: 'live-lora-dark', route: '#/run/flowers-a/live', theme: 'dark' },
  { name: 'switch', route: '#/run/flowers-b/switch', act: overrideTwo },
  { name: 'layers', route: '#/run/flowers-a/layers' },
  { name: 'what-if-dark', route: '#/run/flowers-a/what-if', theme: 'dark', settle: 2500 },
  { name: 'compare', route: '#/compare/flowers-a,flowers-a-seed4,flowers-full' },
];

const SCREENS = [
  { name: 'runs', route: '#/runs' },
  { name: 'runs-empty', route: '#/runs', scenario: 'empty' },
  { name: 'runs-broken', route: '#/runs', scenario: 'broken' },
  { name: 'live-full', route: '#/run/flowers-b/live' },
  { name: 'live-joint', route: '#/run/flowers-joint/live' },
  { name: 'live-lora', route: '#/run/flowers-a/live' },
  { name: 'live-paused', route: '#/run/flowers-full/live' },
  { name: 'live-crashed', route: '#/run/flowers-b/live', act: (page) => page.evaluate(() => window.scripted.crash('flowers-b')) },
  { name: 'live-proposal', route: '#/run/flowers-b/live', act: (page) => page.evaluate(() => window.scripted.propose('flowers-b')) },
  { name: 'live-gpu', route: '#/run/flowers-b/live', scenario: 'gpu' },
  { name: 'switch-record-gpu', route: '#/run/flowers-a/switch', scenario: 'gpu' },
  {
    name: 'live-battery',
    route: '#/run/flowers-b/live',
    scenario: 'desktop',
    act: async (page) => {
      await page.evaluate(() => window.scripted.sleep('flowers-b', 2580));
      await page.evaluate(() => window.scripted.unplug());
    },
  },
  { name: 'live-disk-low', route: '#/run/flowers-b/live', act: (page) => page.evaluate(() => window.scripted.fillDisk('flowers-b')) },
  {
    name: 'live-disk-full',
    route: '#/run/flowers-b/live',
    act: (page) => page.evaluate(() => window.scripted.fillDisk('flowers-b', { isFull: true })),
  },
  { name: 'live-tables', route: '#/run/flowers-b/live', act: click('All charts as tables') },
  { name: 'live-edit', route: '#/run/flowers-b/live', act: click('Edit…') },
  { name: 'switch', route: '#/run/flowers-b/switch', act: overrideTwo },
  { name: 'switch-record', route: '#/run/flowers-a/switch' },
  { name: 'layers', route: '#/run/flowers-a/layers' },
  { name: 'what-if', route: '#/run/flowers-a/what-if', settle: 2500 },
  { name: 'what-if-file', route: `#/what-if/${encodeURIComponent('/mnt/archive/flowers/snapshots.jsonl')}`, settle: 2500 },
  { name: 'what-if-file-none', route: '#/what-if/' },
  { name: 'evaluate-empty', route: '#/run/flowers-b/evaluate' },
  { name: 'evaluate', route: '#/run/flowers-b/evaluate', act: evaluateAndTry },
  { name: 'evaluate-images', route: '#/run/flowers-b/evaluate', act: evaluateAndRead },
  { name: 'export', route: '#/run/flowers-b/export' },
  { name: 'export-written', route: '#/run/flowers-a/export', act: click('Export and verify') },
  { name: 'config', route: '#/run/flowers-b/config' },
  { name: 'new-run', route: '#/new' },
  { name: 'compare', route: '#/compare/flowers-a,flowers-a-seed4,flowers-full' },
  { name: 'compare-empty', route: '#/compare/' },
  {
    name: 'compare-groups',
    route: '#/compare/flowers-a,flowers-a-seed4,flowers-full',
    act: (page) => page.getByLabel('group all but random seed').check(),
  },
  { name: 'queue', route: '#/queue' },
  { name: 'queue-empty', route: '#/queue', scenario: 'empty' },
  { name: 'study', route: '#/new', act: click('Vary…') },
  { name: 'settings', route: '#/settings' },
  { name: 'settings-desktop', route: '#/settings', scenario: 'desktop' },
  { name: 'licences', route: '#/settings', act: click('Show all licences') },
  { name: 'diagnostics', route: '#/settings', act: click('Preview the report') },
  { name: 'storage', route: '#/settings', act: click('Clean up checkpoints…') },
  {
    name: 'engines',
    route: '#/settings',
    act: async (page) => {
      await click('Self-test of TensorFlow')(page);
      await click('Self-test of WebAssembly')(page);
    },
  },
  { name: 'engine-damaged', route: '#/settings', act: (page) => page.evaluate(() => window.scripted.damageEngine()) },
  { name: 'engine-remove', route: '#/settings', act: click('Remove TensorFlow') },
  { name: 'trash', route: '#/settings', act: (page) => page.getByRole('region', { name: 'Trash' }).scrollIntoViewIfNeeded() },
  { name: 'trash-delete', route: '#/settings', act: click('Delete for good: flowers-first-try') },
  { name: 'palette', route: '#/runs', act: (page) => page.keyboard.press('Control+k') },
  { name: 'run-torn', route: '#/run/torn/live', scenario: 'torn' },
  { name: 'switch-24-layers', route: '#/run/long/switch', scenario: 'long', act: overrideTwo },
  { name: 'layers-48-layers', route: '#/run/deep/layers', scenario: 'deep' },
  { name: 'runs-odd-names', route: '#/runs', scenario: 'odd' },
  { name: 'live-odd-names', route: '#/run/long/live', scenario: 'odd' },
  { name: 'live-text-200', route: '#/run/flowers-b/live', act: largeText },
  { name: 'live-forced-colours', route: '#/run/flowers-b/live', forcedColors: 'active' },
  { name: 'switch-forced-colours', route: '#/run/flowers-b/switch', forcedColors: 'active' },
  ...['protanopia', 'deuteranopia', 'tritanopia'].flatMap((type) => [
    { name: `live-${type}`, route: '#/run/flowers-b/live', act: seenWith(type) },
    { name: `switch-${type}`, route: '#/run/flowers-b/switch', act: seenWith(type) },
  ]),
];

/** As eyes see it that are red-, green- or blue-weak, or blind to it. */
function seenWith(type) {
  return async (page) => (await page.context().newCDPSession(page)).send('Emulation.setEmulatedVisionDeficiency', { type });
}

async function largeText(page) {
  await page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem('prelora.preferences') ?? '{}');
    localStorage.setItem('prelora.preferences', JSON.stringify({ ...kept, fontScale: 200 }));
  });
  await page.reload();
  await page.waitForTimeout(700);
}

async function overrideTwo(page) {
  for (const cell of ['2-3', '4-8']) {
    await page.click(`[data-cell="${cell}"]`);
    await page.keyboard.type('16');
    await page.keyboard.press('Enter');
  }
}

async function evaluateAndTry(page) {
  await page.getByRole('button', { name: 'Evaluate on' }).click();
  await page.getByRole('button', { name: 'Classify' }).click();
}

async function evaluateAndRead(page) {
  await evaluateAndTry(page);
  await page.getByRole('heading', { name: 'Images', exact: true }).scrollIntoViewIfNeeded();
}

const [everything, ...only] = process.argv.slice(2);
const wanted = SCREENS.filter(({ name }) => only.length === 0 || only.includes(name));
const folder = everything ?? path.join(root, 'docs', 'screenshots');
const variants = everything
  ? ['light', 'dark', 'contrast'].flatMap((theme) => [
      { theme, width: 1440, height: 900 },
      { theme, width: 960, height: 640 },
    ])
  : [{ width: 1440, height: 900 }];

mkdirSync(folder, { recursive: true });
await buildPage();
const [engine, server, browser] = await Promise.all([bundleEngine(), servePage(), launch()]);
for (const variant of variants) {
  for (const { name, act, settle = 700, ...scene } of everything ? wanted : BEST) {
    const { page, complaints, close } = await openPage(browser, {
      url: server.url,
      engine,
      ...variant,
      ...scene,
      ...(everything && { theme: variant.theme }),
    });
    await page.waitForTimeout(settle);
    await act?.(page);
    await page.waitForTimeout(400);
    const suffix = everything ? `-${variant.theme}-${variant.width}` : '';
    const file = path.join(folder, `${name}${suffix}.png`);
    // A palette is enough for flat colours and keeps each picture below 200 KB.
    await sharp(await page.screenshot())
      .png({ palette: true, compressionLevel: 9, effort: 10 })
      .toFile(file);
    console.log(`${file}  ${Math.round(statSync(file).size / 1024)} KiB${complaints.length > 0 ? `  ${complaints.join('; ')}` : ''}`);
    await close();
  }
}
await browser.close();
server.close();

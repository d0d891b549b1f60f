/** Before the page's tests: dist/renderer is what the sources say. What cannot be tested here is said once, with the reason. */
import { buildPage, findChromium } from '../../../build/scriptedPage.mjs';
import { desktopRuntime } from '../../support/desktopApp.ts';

export async function setup(): Promise<void> {
  const desktop = desktopRuntime();
  if (!findChromium()) console.log('no Chromium in /usr/bin: the tests of the page are skipped');
  if ('why' in desktop) console.log(`${desktop.why}: the tests of the desktop app are skipped`);
  if (findChromium() || 'binary' in desktop) await buildPage();
}

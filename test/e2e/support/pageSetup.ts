/** Before the page's tests: dist/renderer is what the sources say. */
import { buildPage, findChromium } from '../../../build/scriptedPage.mjs';

export async function setup(): Promise<void> {
  if (findChromium()) await buildPage();
}

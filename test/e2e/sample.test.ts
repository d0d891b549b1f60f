/**
 * J1, the first five minutes (product.md section 1; F12): from an empty screen with one click, nothing typed and no file chosen, through all a
 * newcomer is to see. On the native engine, or on wasm where PRELORA_SAMPLE_ENGINE=wasm hides it; the times are printed. In the desktop
 * window, on a smaller run, it is test/electron/firstRun.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { findEngine } from '../../main/engine/installed.ts';
import { classifyOne, exportAndVerify, runTheSample, seeBeforeAndAfter, seeItLearn, seeSwitchAndFreeze } from './support/firstMinutes.ts';
import { realBrowser } from './support/realBrowser.ts';

const isNative = process.env.PRELORA_SAMPLE_ENGINE !== 'wasm' && findEngine() !== null;
const LIMIT_MINUTES = isNative ? 5 : 10;
const NO_ENGINES = '/nonexistent/prelora-engines';

describe.skipIf(!findChromium())(`the first minutes on ${isNative ? 'the native engine' : 'wasm'}`, () => {
  const browser = realBrowser(isNative ? {} : { PRELORA_ENGINES_DIR: NO_ENGINES });

  it(`show loss fall, layers cool, a switch, a freeze, before and after, one image classified, an export verified, within ${LIMIT_MINUTES} minutes`, {
    timeout: (LIMIT_MINUTES + 1) * 60_000,
  }, async () => {
    const page = await browser.open();
    const started = performance.now();
    const times: string[] = [];
    const minutes = (): number => (performance.now() - started) / 60_000;
    const told = (what: string): void => void times.push(`${what} ${minutes().toFixed(1)} min`);
    const wait = { timeout: LIMIT_MINUTES * 60_000 };

    await runTheSample(page, wait);
    told('first point');
    expect(minutes(), 'first point on a chart, in minutes').toBeLessThan(0.5);
    await seeSwitchAndFreeze(page, wait, told);
    const [sample] = await browser.engine.request('runs:list', {});
    await seeItLearn(page, sample?.status.switchStep as number);
    await seeBeforeAndAfter(page);
    told('before and after');
    await classifyOne(page, wait);
    told('image classified');
    await exportAndVerify(page, wait);
    told('exported and verified');
    console.log(`sample on ${isNative ? 'tensorflow' : 'wasm'}: ${times.join(', ')}`);
    expect(minutes(), 'minutes from the click to the last of it').toBeLessThan(LIMIT_MINUTES);
  });
});

/**
 * What a newcomer does and sees first (J1), and steering a run, in the real window with the trainer in the real utility process. The steps
 * are those of test/e2e/sample.test.ts and realSteering.test.ts; past its first point the sample gives way to a run of seconds.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResultOf } from '../../main/protocol/requests.ts';
import { readStatus } from '../../main/store/runFolder.ts';
import {
  classifyOne,
  exportAndVerify,
  runTheSample,
  seeBeforeAndAfter,
  seeFirstPoint,
  seeItLearn,
  seeSwitchAndFreeze,
} from '../e2e/support/firstMinutes.ts';
import { waitForStatus } from '../e2e/support/realBrowser.ts';
import { editTau, expectSameAgain, pauseAndResume, RULED } from '../e2e/support/steering.ts';
import { type DesktopApp, type DesktopInstallation, desktopRuntime, installDesktop } from '../support/desktopApp.ts';
import type { RunContent } from '../support/runContent.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;
const WAIT = { timeout: 120_000 };

/** The sample's model on few pictures: it learns, switches by the rule and freezes within seconds. */
const SHORT_SAMPLE = {
  ...SMALL_RUN,
  preset: 'sample',
  train: { ...SMALL_RUN.train, epochs: 40, lr: 0.01 },
  prelora: { ...SMALL_RUN.prelora, switching: 'auto', minStep: 100, jointSteps: 60 },
};

/** This process makes the run again, and its cosine differs from Electron's in the last bit: learning rates are compared to 12 digits. */
function withoutLastBits({ metrics, epochs, ...rest }: RunContent): object {
  const rounded = (records: object[]) =>
    records.map((record) => ({ ...record, lr: Number((record as { lr: number }).lr.toPrecision(12)) }));
  return { ...rest, metrics: rounded(metrics), epochs: rounded(epochs) };
}

describe.skipIf(why !== null)(`the desktop window${why ? ` (skipped: ${why})` : ''}`, () => {
  let installed: DesktopInstallation;
  let desktop: DesktopApp;

  beforeAll(async () => {
    installed = await installDesktop((runtime as { binary: string }).binary);
    desktop = await installed.start();
  });
  afterAll(async () => {
    await desktop?.close();
    installed?.remove();
  });

  /** Starts a run over the bridge and opens its screen. */
  async function start(config: unknown): Promise<{ runId: string; dir: string }> {
    const { runId } = (await desktop.ask('run:start', { config })).value as ResultOf<'run:start'>;
    const { summary } = (await desktop.ask('run:state', { runId })).value as ResultOf<'run:state'>;
    await desktop.page.evaluate((id) => {
      window.location.hash = `#/run/${id}/live`;
    }, runId);
    return { runId, dir: summary.dir };
  }

  it('shows the sample from one click to its first point', async () => {
    const { page } = desktop;
    await runTheSample(page, WAIT);
    const runId = decodeURIComponent(new URL(page.url()).hash.split('/')[2] as string);
    expect(await desktop.ask('run:stop', { runId, discard: true })).toMatchObject({ ok: true });
  });

  it('shows loss fall, layers cool, a switch, a freeze, before and after, one image classified, and an export verified', async () => {
    const { page } = desktop;
    const { dir } = await start(SHORT_SAMPLE);
    await seeFirstPoint(page, WAIT);
    await seeSwitchAndFreeze(page, WAIT);
    await waitForStatus(page, 'Finished');
    await seeItLearn(page, (await readStatus(dir))?.switchStep as number);
    await seeBeforeAndAfter(page);
    await classifyOne(page, WAIT);
    await exportAndVerify(page, WAIT);
  });

  it('steers a run: paused for 3 s, resumed, τ edited by drag, field and keys; it trains as its config and journal tell', async () => {
    const { page } = desktop;
    const { dir } = await start({ ...RULED, train: { ...RULED.train, epochs: 60 } });
    await pauseAndResume(page, dir);
    await editTau(page, dir);
    await waitForStatus(page, 'Finished');
    await expectSameAgain(dir, withoutLastBits);
  });
});

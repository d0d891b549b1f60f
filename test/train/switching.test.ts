/** The switch, the freeze and the way back, as whole runs: method.md sections 5, 9, 10, 11 and invariants 1, 2, 9, 10, 11. */
import { describe, expect, it } from 'vitest';
import { replayRun } from '../../main/host/replayRun.ts';
import { readLast, readRecords, readStatus } from '../../main/store/runFolder.ts';
import { startRun } from '../../main/train/startRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { contentOf, eventKinds, eventsOf, resumeTiny, tinyConfig, trainTiny } from './tinyTraining.ts';

describe('a run with the default rule', () => {
  it('goes full, warmup, lora; attaches adapters at the switch and freezes after the joint phase', async () => {
    const root = temporaryFolder();
    const { run, dir } = await trainTiny(`${root}/run`);
    const phases = (await readRecords(dir, 'metrics')).map(({ phase }) => phase);
    expect(phases).toEqual([...Array(12).fill('full'), ...Array(6).fill('warmup'), ...Array(12).fill('lora')]);
    expect(run.state.phase).toMatchObject({ switchStep: 12, freezeStep: 18 });
    const { phases: history } = run.state;
    expect(history.map(({ phase, startStep, endStep }) => [phase, startStep, endStep])).toEqual([
      ['full', 0, 12],
      ['warmup', 12, 18],
      ['lora', 18, 30],
    ]);
    expect(history[2]?.trainableParameters).toBeLessThan(history[0]?.trainableParameters as number);
  });

  it('leaves frozen tensors bit-identical from the freeze to the end, without moments', async () => {
    const root = temporaryFolder();
    const { run } = await trainTiny(`${root}/run`, { train: { checkpointEvery: 1, keepCheckpoints: 100 } });
    const before = await run.options.store.loadCheckpoint(19);
    const after = await run.options.store.loadCheckpoint(30);
    const frozen = [...after.tensors.model.keys()].filter((path) => /\.(q|k|v|proj|fc1|fc2)\.(weight|bias)$/.test(path));
    expect(frozen).toHaveLength(24);
    for (const path of frozen) {
      expect(after.tensors.model.get(path)?.data, path).toEqual(before.tensors.model.get(path)?.data);
      expect(after.tensors.optimizer.has(`m/${path}`)).toBe(false);
    }
    const adapter = 'blocks.1.mlp.fc2.loraB';
    expect(after.tensors.model.get(adapter)?.data).not.toEqual(before.tensors.model.get(adapter)?.data);
  });

  it('is replayed from its own snapshots with its own switch step and ranks', async () => {
    const root = temporaryFolder();
    const { run, dir } = await trainTiny(`${root}/run`, { prelora: { graceSteps: 2 } });
    const { switchStep, ranks } = await replayRun(dir, {});
    expect(switchStep).toBe(run.state.phase.switchStep);
    expect(ranks).toEqual(Object.fromEntries(run.state.ranks.map(({ module, rank }) => [module, rank])));
    expect((await replayRun(dir, { tau: 1e-6 })).switchStep).toBeNull();
  });

  it('evaluates the same before and after the switch, because loraB is zero', async () => {
    const root = temporaryFolder();
    const commands = { 12: [{ kind: 'evaluate' as const }] };
    const { answers, dir, run } = await trainTiny(`${root}/run`, { prelora: { jointSteps: 0, lrRampSteps: 0 } }, { commands });
    expect(run.state.phase).toMatchObject({ switchStep: 12, freezeStep: 12 });
    const epoch = (await readRecords(dir, 'epochs')).find(({ step }) => step === 12);
    expect((answers[0] as { loss: number; count: number }).loss / 20).toBe(epoch?.valLoss);
  });
});

describe('the user', () => {
  it('triggers with the plan that the rule would have made and gets the run that the rule makes', async () => {
    const root = temporaryFolder();
    const byRule = await trainTiny(`${root}/rule`);
    const ranks = Object.fromEntries(byRule.run.state.ranks.map(({ module, rank }) => [module, rank]));
    const manual = { prelora: { switching: 'manual' } };
    const byHand = await trainTiny(`${root}/hand`, manual, { commands: { 12: [{ kind: 'switchNow', ranks }] } });
    const [a, b] = [await contentOf(byRule), await contentOf(byHand)];
    expect(b.metrics).toEqual(a.metrics);
    expect(b.tensors).toEqual(a.tensors);
    expect(await eventKinds(`${root}/hand`)).toContain('ready');
  });

  it('undoes the switch; going on without one equals the run that never switched', async () => {
    const root = temporaryFolder();
    const never = await trainTiny(`${root}/never`, { prelora: { switching: 'off' } });
    const first = await trainTiny(`${root}/undone`, {}, { commands: { 15: [{ kind: 'undo' }] }, afterUndo: { kind: 'resume' } });
    const { run } = first;
    expect(run.state.segment).toBe(1);
    expect(run.config.prelora.switching).toBe('manual');
    const undone = await contentOf(first);
    const plain = await contentOf(never);
    expect(undone.tensors).toEqual(plain.tensors);
    expect(undone.metrics).toEqual(plain.metrics);
    expect(undone.ranks).toBeNull();
  });

  it('vetoes a pending switch: windowSize new snapshots come first', async () => {
    const root = temporaryFolder();
    const overrides = { prelora: { graceSteps: 3, jointSteps: 2 } };
    const { run, dir } = await trainTiny(`${root}/run`, overrides, { commands: { 13: [{ kind: 'veto' }] } });
    expect(await eventsOf(dir, 'switch-vetoed')).toHaveLength(1);
    expect(run.state.phase.switchStep).toBe(27);
  });

  it('defers by one test, ends the joint phase early, and is told what cannot be done', async () => {
    const root = temporaryFolder();
    const commands = {
      3: [{ kind: 'defer' as const, until: { tests: 2 } }, { kind: 'undo' as const }],
      20: [{ kind: 'freezeNow' as const }],
    };
    const { run, answers } = await trainTiny(`${root}/run`, {}, { commands });
    expect(run.state.phase).toMatchObject({ switchStep: 18, freezeStep: 20 });
    expect(String(answers[1])).toContain('there is no switch to undo');
  });

  it('edits thresholds, learning rate and length; the journal has old and new, and the run obeys', async () => {
    const root = temporaryFolder();
    const commands = {
      2: [
        {
          kind: 'edit' as const,
          changes: { 'prelora.switching': 'off', 'train.lr': 0.005, 'train.epochs': 6 },
          extension: 'continue' as const,
        },
      ],
      4: [{ kind: 'edit' as const, changes: { 'model.depth': 3 }, extension: 'continue' as const }],
      5: [{ kind: 'edit' as const, changes: { 'train.lr': 7 }, extension: 'continue' as const }],
    };
    const { run, dir, answers } = await trainTiny(`${root}/run`, {}, { commands });
    expect(run.state.step).toBe(36);
    expect(run.state.phase.switchStep).toBeNull();
    const edits = await eventsOf(dir, 'edited');
    expect(edits.map(({ detail }) => [detail.field, detail.from, detail.to])).toContainEqual(['train.lr', 0.01, 0.005]);
    expect(String(answers[1])).toContain('model.depth cannot change in phase full; fork the run');
    expect(String(answers[2])).toContain('train.lr 7');
  });
});

/** Invariant 11. */
const EDGES = {
  model: { depth: 1 },
  train: { lrWarmupSteps: 0 },
  prelora: { jointSteps: 0, graceSteps: 0, lrRampSteps: 0, targetModules: ['blocks.0.attn.q'] },
};

describe('controls', () => {
  it.each([
    ['switching off', { prelora: { switching: 'off' } }, null, null],
    ['a fixed epoch', { control: { fixedEpoch: 3 } }, 18, 24],
    ['freeze without adapters', { control: { action: 'freezeOnly' } }, 12, 18],
    ['optimizer reset alone', { control: { action: 'resetOnly' } }, 12, null],
    ['uniform ranks', { control: { ranks: 'uniform', uniformRank: 2 } }, 12, 18],
    ['nothing joint, no ramp, no lr warm-up, one block, one target', EDGES, 12, 12],
  ] as const)('%s', async (_name, overrides, switchStep, freezeStep) => {
    const root = temporaryFolder();
    const { end, run } = await trainTiny(`${root}/run`, overrides as never);
    expect(end).toBe('finished');
    expect(run.state.phase).toMatchObject({ switchStep, freezeStep });
  });
});

describe('an update that is not finite', () => {
  it('is not applied; the run stops with a checkpoint and names the tensor', async () => {
    const root = temporaryFolder();
    const { end, run, dir } = await trainTiny(`${root}/run`, { data: { mean: [0], std: [1e-39] } });
    expect(end).toBe('diverged');
    expect(run.state.step).toBe(0);
    const [diverged] = await eventsOf(dir, 'diverged');
    expect(diverged?.detail).toMatchObject({ update: 1, tensor: expect.stringMatching(/loss|gradient of/) });
    expect(run.message).toContain('lower train.lr');
    const { state } = await run.options.store.loadCheckpoint(0);
    expect(state).toMatchObject({ step: 0 });
  });
});

describe('memory that runs out', () => {
  const full = () => {
    throw new Error('OOM when allocating tensor with shape[8,5,32] and type float on device:CPU:0');
  };

  it('ends the run as it was saved, and names the micro-batch that fits; a resume goes on from there', async () => {
    const dir = `${temporaryFolder()}/run`;
    const run = await startRun(tinyConfig({ train: { checkpointEvery: 4 } }), dir, {
      listener: { metrics: ({ step }) => step === 5 && Object.assign(run.trainer, { update: full }) },
    });
    await expect(run.run()).rejects.toMatchObject({
      code: 'out-of-memory',
      message: expect.stringMatching(/microBatch 8 .*microBatch 4 /),
    });
    run.options.store.close();
    expect((await eventsOf(dir, 'failed'))[0]?.detail).toMatchObject({ memory: { microBatch: 8, fits: 4 } });
    expect(await readStatus(dir)).toMatchObject({ status: 'failed', step: 5, message: run.message });
    // Step 5 was not saved on the way out: weights may have been half moved.
    expect(await readLast(dir)).toBe(4);
    const { end, run: resumed } = await resumeTiny(dir);
    expect([end, resumed.state.step]).toEqual(['finished', 30]);
  });
});

describe('micro-batches', () => {
  it('give the update of one batch', async () => {
    const root = temporaryFolder();
    const one = await contentOf(await trainTiny(`${root}/one`));
    const four = await contentOf(await trainTiny(`${root}/four`, { train: { microBatch: 2 } }));
    expect(four.metrics.length).toBe(one.metrics.length);
    for (const [i, record] of one.metrics.entries()) {
      const other = four.metrics[i] as { loss: number };
      expect(Math.abs(other.loss - (record.loss as number)) / (record.loss as number)).toBeLessThan(1e-4);
    }
    expect(four.snapshots.map(({ step }) => step)).toEqual(one.snapshots.map(({ step }) => step));
  });
});

describe('early stop', () => {
  it('ends the run after so many evaluations without a better one, and a resume leaves it ended', async () => {
    const root = temporaryFolder();
    const overrides = { train: { epochs: 20, lr: 1e-7, earlyStopPatience: 2 }, prelora: { switching: 'off' } };
    const { end, run, dir } = await trainTiny(`${root}/run`, overrides);
    expect(end).toBe('finished');
    expect(run.state.step).toBe(18);
    expect(await eventsOf(dir, 'early-stop')).toHaveLength(1);
    expect((await resumeTiny(dir)).run.state.step).toBe(18);
  });
});

describe('the latest end', () => {
  const off = { switching: 'off' };

  it('ends the run within its epoch when the time is up, finished, with a checkpoint', async () => {
    const root = temporaryFolder();
    const { end, run, dir } = await trainTiny(`${root}/run`, { train: { latestEnd: '2020-01-01T00:00:00Z' }, prelora: off });
    expect([end, run.state.step]).toEqual(['finished', 1]);
    expect(await eventsOf(dir, 'latest-end')).toMatchObject([{ by: 'rule', step: 1 }]);
    expect((await resumeTiny(dir)).run.state.step).toBe(1);
  });

  it('leaves a run alone that has time', async () => {
    const root = temporaryFolder();
    const { end, run } = await trainTiny(`${root}/run`, { train: { epochs: 1, latestEnd: '2999-12-31T23:59' }, prelora: off });
    expect([end, run.state.step]).toEqual(['finished', 6]);
  });

  it('is a date and a time, or nothing', () => {
    expect(() => tinyConfig({ train: { latestEnd: 'tomorrow' } })).toThrow('train.latestEnd');
  });
});

/** AdamW's scalars and its state by name, apart from a model. The whole recipe is compared in goldenSteps.ts. */
import { beforeAll, describe, expect, test } from 'vitest';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { GraphProgram } from '../../main/compile/program.ts';
import { tf } from '../../main/engine/tf.ts';
import { adamWFeeds, adamWInputs, adamWUpdates, groupByUpdateCount } from '../../main/train/adamw.ts';
import { expectClose, expectSameBits, GOLDEN } from '../support/tolerance.ts';
import { startBackend } from './backendUnderTest.ts';
import { readGoldens, uniform } from './goldenData.ts';

const SIZE = 12;
const settings = { beta1: 0.9, beta2: 0.999, adamEps: 1e-8 };
const step = { lr: 3e-3, weightDecay: 0.05, gradClip: 0, ...settings };

beforeAll(() => startBackend('cpu'));

/** Tensors with given gradients, each in a group of its own. */
function optimizerProgram(names: readonly string[], decays = true): GraphProgram {
  const spec = { shape: [SIZE], dtype: 'float32' } as const;
  const groupOf = new Map(names.map((name, group) => [name, group]));
  return {
    variables: Object.fromEntries(names.flatMap((name) => [name, `m/${name}`, `v/${name}`].map((variable) => [variable, spec]))),
    functions: {
      update: {
        inputs: { ...adamWInputs(names.length), ...Object.fromEntries(names.map((name) => [`gradient/${name}`, spec])) },
        body(_, inputs) {
          const gradients = new Map(names.map((name) => [name, tf.mul(inputs[`gradient/${name}`]!, 1)]));
          return { outputs: {}, updates: adamWUpdates({ clip: tf.scalar(1), gradients, groupOf, decays: () => decays, inputs, settings }) };
        },
      },
    },
  };
}

function startOptimizer(names: readonly string[], decays?: boolean) {
  const program = runEager(optimizerProgram(names, decays));
  program.writeVariables(
    names.flatMap((name) => [[name, startOf(name)] as const, [`m/${name}`, 'zeros'] as const, [`v/${name}`, 'zeros'] as const]),
  );
  return program;
}

const startOf = (name: string): Float32Array => Float32Array.from(uniform(name, SIZE));
const gradientAt = (t: number): Float32Array => Float32Array.from(uniform(`adamw gradient ${t}`, SIZE));

describe('AdamW', () => {
  test('moves a tensor and its moments as torch.optim.AdamW does, from the first update on', async () => {
    const { golden } = await readGoldens('adamw');
    const program = startOptimizer(['adamw']);
    const start = startOf('adamw');
    for (let t = 1; t <= 5; t++) {
      program.call('update', { 'gradient/adamw': gradientAt(t), ...adamWFeeds({ ...step, counts: [t] }) });
      const values = program.readVariables(['adamw', 'm/adamw', 'v/adamw']) as Map<string, Float32Array>;
      expectClose(values.get('m/adamw')!, golden(`${t}/m`), GOLDEN, `m after ${t}`);
      // v differs by 1.3e-5, because 0.999 is not a float32; the bias correction takes that out of the move.
      expectClose(values.get('v/adamw')!, golden(`${t}/v`), GOLDEN, `v after ${t}`);
      const moved = values.get('adamw')!.map((value, i) => value - start[i]!);
      expectClose(moved, golden(`${t}/moved`), GOLDEN, `move after ${t}`);
    }
    program.dispose();
  });

  test('a step from a zero moment is the learning rate, whatever the gradient', () => {
    const { 'stepSize.0': stepSize, 'epsilon.0': epsilon } = adamWFeeds({ ...step, counts: [1] });
    const [beta1, beta2] = [Math.fround(settings.beta1), Math.fround(settings.beta2)];
    const gradient = 0.37;
    const moved = (stepSize![0]! * (1 - beta1) * gradient) / (Math.sqrt((1 - beta2) * gradient ** 2) + epsilon![0]!);
    expectClose([moved], [step.lr], 1e-7);
  });

  test('tensors with their own number of updates get their own bias correction', () => {
    const both = startOptimizer(['old', 'new']);
    const alone = startOptimizer(['new']);
    const { groupOf, counts } = groupByUpdateCount(
      new Map([
        ['new', 0],
        ['old', 7],
      ]),
    );
    expect(counts).toEqual([7, 0]);
    expect([groupOf.get('old'), groupOf.get('new')]).toEqual([0, 1]);
    const gradient = gradientAt(1);
    both.call('update', { 'gradient/old': gradient, 'gradient/new': gradient, ...adamWFeeds({ ...step, counts: [8, 1] }) });
    alone.call('update', { 'gradient/new': gradient, ...adamWFeeds({ ...step, counts: [1] }) });
    const read = (program: typeof both, name: string) => program.readVariables([name]).get(name) as Float32Array;
    expectSameBits(read(both, 'new'), read(alone, 'new'));
    expect(Math.abs(read(both, 'old')[0]! - startOf('old')[0]!)).toBeGreaterThan(0);
    both.dispose();
    alone.dispose();
  });

  test('a tensor that does not decay stays where it is under a zero gradient; one that does shrinks by lr · weightDecay', () => {
    const feeds = { 'gradient/w': new Float32Array(SIZE), ...adamWFeeds({ ...step, counts: [1] }) };
    const updated = (decays: boolean): Float32Array => {
      const program = startOptimizer(['w'], decays);
      program.call('update', feeds);
      const values = program.readVariables(['w']).get('w') as Float32Array;
      program.dispose();
      return values;
    };
    expectSameBits(updated(false), startOf('w'));
    expectClose(
      updated(true),
      startOf('w').map((value) => value * (1 - step.lr * step.weightDecay)),
      1e-7,
    );
  });
});

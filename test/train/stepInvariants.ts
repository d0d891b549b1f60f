/**
 * What must hold of single steps on every backend, eager and compiled: method.md section 16, numbers 1 to 4, and what style.md section 8
 * says of a step. Written once; one test file per backend calls it.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { NonFiniteError } from '../../main/compile/program.ts';
import { allModules } from '../../main/core/modules.ts';
import type { Shape } from '../../main/core/parameterShapes.ts';
import type { BackendName, ChosenBackend } from '../../main/engine/choose.ts';
import { initialAdapters, type RankPattern } from '../../main/lora/inject.ts';
import { initialParameters } from '../../main/model/init.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';
import type { Phase } from '../../main/protocol/run.ts';
import { previousVariable } from '../../main/train/norms.ts';
import type { TrainingBatch } from '../../main/train/phaseTrainer.ts';
import { averageVariable } from '../../main/train/program.ts';
import { expectNoLeak } from '../support/expectNoLeak.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { expectClose, expectSameBits, NORM, REWRITTEN } from '../support/tolerance.ts';
import { isMissing, type StartProgram, startBackend, starter, waysOf } from './backendUnderTest.ts';
import { goldenBatch, goldenMask } from './goldenData.ts';
import { batchFeeds, gradientsOf, type StartedPhase, startPhase, updateFeeds, weightsOf } from './phaseProgram.ts';

const CONFIG = tinyConfig({ model: { initStd: 0.1 }, train: { batchSize: 8 } });
const NO_RANKS: RankPattern = new Map();
const RANKS: RankPattern = new Map([
  ['blocks.0.attn.q', { rank: 2, alpha: 4 }],
  ['blocks.0.mlp.fc1', { rank: 4, alpha: 8 }],
  ['blocks.1.attn.v', { rank: 1, alpha: 1 }],
  ['blocks.1.mlp.fc2', { rank: 4, alpha: 2 }],
]);
const EVERY_MODULE: RankPattern = new Map(allModules(2).map((module) => [module, { rank: 2, alpha: 4 }]));

/** Declares the tests of one backend. */
export function describeStepInvariants(backend: BackendName): void {
  describe.skipIf(isMissing(backend)).each(waysOf(backend))(`on ${backend}, %s,`, (way) => {
    let chosen: ChosenBackend;
    beforeAll(async () => {
      chosen = await startBackend(backend);
    });
    const start: StartProgram = (program) => starter(way, chosen)(program);

    // Native eager runs are rare, and differ from the others in the kernels alone: goldenSteps.ts holds those.
    const isRare = backend === 'tensorflow' && way === 'eager';
    for (const [name, check] of Object.entries(isRare ? EVERYWHERE : { ...EVERYWHERE, ...WHERE_PEOPLE_TRAIN }))
      test(name, () => check(start));
  });
}

type Check = (start: StartProgram) => void;

const EVERYWHERE: Record<string, Check> = {
  'the switch and the freeze change no logit': switchChangesNothing,
  'a step that is not finite is refused, and nothing is assigned': refusesNonFinite,
  'a step, an evaluation and a snapshot leave no tensor behind': leavesNothingBehind,
};

const WHERE_PEOPLE_TRAIN: Record<string, Check> = {
  'frozen tensors keep every bit, and have no moments': frozenStaysFrozen,
  'gradients reach exactly the trainable set, and the clip norm covers exactly it': clipCoversTrainable,
  'micro-batches add up to the gradients and the update of one batch': accumulationIsOneBatch,
  'images that only pad a batch count for nothing': paddingCountsForNothing,
  'the first loss is near ln(classes), and 16 images are memorised': memorises,
  'dropout is in the step and not in the evaluation': dropoutOnlyTrains,
  'the averaged copy follows the weights and is what is evaluated': averageIsEvaluated,
  'norms and distances are exact to 1e-6, for matrices of a million values too': normsAreExact,
};

function phaseOf(
  phase: Phase,
  ranks: RankPattern,
  start: StartProgram,
  options: { config?: ResolvedConfig; calls?: string[] } = {},
): StartedPhase {
  const { config = CONFIG, calls = ['step'] } = options;
  const accumulates = calls.includes('accumulate');
  return startPhase({ config, phase, ranks, weights: freshWeights(config, ranks), start, accumulates, calls });
}

/** Weights as at the switch: initial parameters, A drawn, B zero. */
function freshWeights(config: ResolvedConfig, ranks: RankPattern) {
  return weightsOf(new Map([...initialParameters(config.model, 5), ...initialAdapters(config.model, ranks, 5)]));
}

function update(
  phase: StartedPhase,
  t: number,
  batch: TrainingBatch,
  lr = 1e-2,
  optimizer: { weightDecay?: number; gradClip?: number } = {},
) {
  return phase.program.call('step', { ...batchFeeds(phase, batch), ...updateFeeds(phase, t, lr, optimizer) });
}

function read(phase: StartedPhase, names: Iterable<string>): Map<string, Float32Array> {
  return phase.program.readVariables(names) as Map<string, Float32Array>;
}

function switchChangesNothing(start: StartProgram): void {
  const batch = goldenBatch(CONFIG.model, 0, 8);
  const [before, joint, lora] = (['full', 'warmup', 'lora'] as const).map((phase) => {
    const started = phaseOf(phase, phase === 'full' ? NO_RANKS : EVERY_MODULE, start, { calls: ['step', 'evaluate'] });
    const evaluated = started.program.call('evaluate', { patches: batch.patches }).logits as Float32Array;
    const trained = update(started, 1, batch).logits as Float32Array;
    started.program.dispose();
    return { evaluated, trained };
  });
  for (const after of [joint, lora]) {
    expectSameBits(after!.evaluated, before!.evaluated, 'evaluated logits');
    expectSameBits(after!.trained, before!.trained, 'logits of the step');
  }
}

function frozenStaysFrozen(start: StartProgram): void {
  const phase = phaseOf('lora', RANKS, start);
  const weights = freshWeights(CONFIG, RANKS);
  const paths = [...phase.setup.shapes.keys()];
  for (let t = 1; t <= 5; t++) update(phase, t, goldenBatch(CONFIG.model, t, 8), 1e-2, { weightDecay: 0.1 });
  const after = read(phase, paths);
  for (const path of paths) {
    const frozen = /^(.*)\.(weight|bias)$/.exec(path);
    const shouldStay = frozen !== null && RANKS.has(frozen[1]!);
    const start = weights(path, phase.setup.shapes.get(path)!);
    if (shouldStay) expectSameBits(after.get(path)!, start, path);
    else expect(after.get(path), path).not.toEqual(start);
    const moments = () => read(phase, [`m/${path}`, `v/${path}`]);
    if (shouldStay) expect(moments, path).toThrow(`no variable "m/${path}"`);
    else expect(moments().size, path).toBe(2);
  }
  phase.program.dispose();
}

function clipCoversTrainable(start: StartProgram): void {
  const config = tinyConfig({ model: { initStd: 0.1 }, train: { batchSize: 8 }, prelora: { alsoFreeze: ['norms', 'embeddings'] } });
  const phase = phaseOf('lora', EVERY_MODULE, start, { config });
  const expected = ['head.weight', 'head.bias', ...allModules(2).flatMap((module) => [`${module}.loraA`, `${module}.loraB`])];
  expect(phase.setup.trainable).toEqual(expected);

  const gradClip = 1e-3;
  // The first update starts from B = 0, where A has no gradient; the second has gradients everywhere.
  update(phase, 1, goldenBatch(config.model, 1, 8));
  const moments = expected.map((path) => `m/${path}`);
  const before = read(phase, moments);
  const { gradSquares } = update(phase, 2, goldenBatch(config.model, 2, 8), 1e-2, { gradClip });
  const after = read(phase, moments);
  phase.program.dispose();

  expect(gradSquares).toHaveLength(expected.length);
  for (const [i, square] of (gradSquares as Float32Array).entries()) expect(square, expected[i]).toBeGreaterThan(0);
  // m ← β1·m + (1 − β1)·g shows the gradients as they were after clipping: their norm is gradClip, and each keeps its share.
  const [beta1, norm] = [Math.fround(0.9), Math.sqrt(sum(gradSquares as Float32Array))];
  const clipped = moments.map((name) => {
    const old = before.get(name)!;
    return Math.sqrt(sum(after.get(name)!.map((m, i) => ((m - beta1 * old[i]!) / (1 - beta1)) ** 2)));
  });
  const wanted = Array.from(gradSquares as Float32Array, (square) => (Math.sqrt(square) * gradClip) / (norm + 1e-6));
  // Taken back out of m in float32, where the old moment is 1000 times larger.
  expectClose(clipped, wanted, 1e-2, 'norms of the clipped gradients');
}

function accumulationIsOneBatch(start: StartProgram): void {
  const whole = goldenBatch(CONFIG.model, 0, 8);
  const small = { ...CONFIG, train: { ...CONFIG.train, microBatch: 2 } };
  const one = phaseOf('warmup', RANKS, start);
  const many = phaseOf('warmup', RANKS, start, { config: small, calls: ['accumulate', 'apply'] });
  const { loss, gradSquares } = update(one, 1, whole);
  let total = 0;
  for (const [micro, part] of split(whole, 4).entries()) {
    const { loss } = many.program.call('accumulate', { ...batchFeeds(many, part, 8), keep: Float32Array.of(micro === 0 ? 0 : 1) });
    total += loss![0]!;
  }
  const summed = many.program.call('apply', updateFeeds(many, 1, 1e-2)).gradSquares as Float32Array;
  expectClose([total], [loss![0]!], REWRITTEN, 'loss');
  expectClose([Math.sqrt(sum(summed))], [Math.sqrt(sum(gradSquares as Float32Array))], REWRITTEN, 'gradient norm');
  const moments = one.setup.trainable.filter((path) => !path.endsWith('attn.k.bias')).map((path) => `m/${path}`);
  const [wanted, found] = [read(one, moments), read(many, moments)];
  for (const name of moments) expectClose(found.get(name)!, wanted.get(name)!, REWRITTEN, name, 1e-6);
  one.program.dispose();
  many.program.dispose();
}

/** The batch cut into equal parts. */
function split({ count, patches, targets }: TrainingBatch, parts: number): TrainingBatch[] {
  const cut = (values: Float32Array, i: number) => values.slice((values.length / parts) * i, (values.length / parts) * (i + 1));
  return Array.from({ length: parts }, (_, i) => ({ count: count / parts, patches: cut(patches, i), targets: cut(targets, i) }));
}

function paddingCountsForNothing(start: StartProgram): void {
  const three = goldenBatch(CONFIG.model, 0, 8);
  const perImage = three.patches.length / 8;
  const classes = CONFIG.model.numClasses;
  const phase = phaseOf('full', NO_RANKS, start, { calls: ['accumulate'] });
  const gradients = (fill: number) => {
    const patches = three.patches.map((value, i) => (i < 3 * perImage ? value : fill));
    const targets = three.targets.map((value, i) => (i < 3 * classes ? value : 0));
    const sampleWeights = Float32Array.from({ length: 8 }, (_, i) => (i < 3 ? 1 / 3 : 0));
    return gradientsOf(phase, { ...batchFeeds(phase, { count: 8, patches, targets }), sampleWeights });
  };
  const [zeros, noise] = [gradients(0), gradients(0.7)];
  const small = { ...CONFIG, train: { ...CONFIG.train, microBatch: 3 } };
  const exact = phaseOf('full', NO_RANKS, start, { config: small, calls: ['accumulate'] });
  const batch = { count: 3, patches: three.patches.slice(0, 3 * perImage), targets: three.targets.slice(0, 3 * classes) };
  const wanted = gradientsOf(exact, batchFeeds(exact, batch));
  for (const found of [zeros, noise]) {
    expectClose([found.loss], [wanted.loss], REWRITTEN, 'loss');
    for (const [path, gradient] of wanted.gradients) expectClose(found.gradients.get(path)!, gradient, REWRITTEN, path, 1e-3);
  }
  phase.program.dispose();
  exact.program.dispose();
}

function memorises(start: StartProgram): void {
  const config = tinyConfig({ train: { batchSize: 16 } });
  const batch = goldenBatch(config.model, 0, 16);
  const hard = batch.targets.map((value) => Number(value > 0.6));
  const phase = phaseOf('full', NO_RANKS, start, { config });
  const losses = Array.from({ length: 40 }, (_, i) => update(phase, i + 1, { ...batch, targets: hard }, 2e-2).loss![0]!);
  phase.program.dispose();
  expect(Math.abs(losses[0]! - Math.log(3))).toBeLessThan(0.05);
  expect(losses.at(-1)).toBeLessThan(0.05);
}

function refusesNonFinite(start: StartProgram): void {
  const phase = phaseOf('warmup', RANKS, start);
  const batch = goldenBatch(CONFIG.model, 0, 8);
  update(phase, 1, batch);
  const names = [...phase.setup.shapes.keys(), ...phase.setup.trainable.flatMap((path) => [`m/${path}`, `v/${path}`])];
  const before = read(phase, names);
  for (const broken of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const patches = batch.patches.map((value, i) => (i === 7 ? broken : value));
    expect(() => update(phase, 2, { ...batch, patches })).toThrow(NonFiniteError);
  }
  const after = read(phase, names);
  for (const name of names) expectSameBits(after.get(name)!, before.get(name)!, name);
  expect(Number.isFinite(update(phase, 2, batch).loss![0])).toBe(true);
  phase.program.dispose();
}

function leavesNothingBehind(start: StartProgram): void {
  const phase = phaseOf('warmup', RANKS, start, { calls: ['step', 'evaluate', 'norms'] });
  const batch = goldenBatch(CONFIG.model, 0, 8);
  const round = () => {
    update(phase, 1, batch);
    phase.program.call('evaluate', { patches: batch.patches });
    expect(() => update(phase, 2, { ...batch, patches: batch.patches.map(() => Number.NaN) })).toThrow(NonFiniteError);
    phase.program.call('norms', {});
  };
  // Once before: a weight and its copy of the last snapshot share their data until the next update.
  round();
  expectNoLeak(round);
  phase.program.dispose();
}

function dropoutOnlyTrains(start: StartProgram): void {
  const dropped = tinyConfig({
    model: { initStd: 0.1, dropRate: 0.5, attnDropRate: 0.5, dropPathRate: 0.5 },
    train: { batchSize: 8 },
    prelora: { loraDropRate: 0.5 },
  });
  const calls = ['step', 'evaluate'];
  const plain = phaseOf('warmup', RANKS, start, { calls });
  const phase = phaseOf('warmup', RANKS, start, { config: dropped, calls });
  const batch = goldenBatch(CONFIG.model, 0, 8);
  const evaluate = ({ program }: StartedPhase) => program.call('evaluate', { patches: batch.patches }).logits as Float32Array;
  expectSameBits(evaluate(phase), evaluate(plain), 'evaluated logits');
  const step = (mask: (name: string, shape: Shape, rate: number) => Float32Array) =>
    phase.program.call('step', { ...batchFeeds(phase, batch, 8, mask), ...updateFeeds(phase, 1, 0) }).loss![0]!;
  const ones = (_: string, shape: Shape) => new Float32Array(shape.reduce((size, side) => size * side, 1)).fill(1);
  const losses = [step(goldenMask), step((name, shape, rate) => goldenMask(`other ${name}`, shape, rate)), step(ones)];
  expect(new Set(losses).size).toBe(3);
  expectClose([losses[2]!], [update(plain, 1, batch, 0).loss![0]!], REWRITTEN, 'loss with factors of 1');
  plain.program.dispose();
  phase.program.dispose();
}

function averageIsEvaluated(start: StartProgram): void {
  const config = tinyConfig({ model: { initStd: 0.1 }, train: { batchSize: 8, emaDecay: 0.75 } });
  const phase = phaseOf('full', NO_RANKS, start, { config, calls: ['step', 'evaluate', 'average'] });
  const paths = phase.setup.trainable;
  const batch = goldenBatch(config.model, 0, 8);
  const fresh = read(phase, paths);
  phase.program.writeVariables(paths.map((path) => [averageVariable(path), fresh.get(path)!] as const));
  const evaluate = () => phase.program.call('evaluate', { patches: batch.patches }).logits as Float32Array;
  const before = evaluate();
  update(phase, 1, batch);
  expectSameBits(evaluate(), before, 'logits of the copy before it moves');
  phase.program.call('average', {});
  const moved = read(phase, [...paths, ...paths.map(averageVariable)]);
  for (const path of paths) {
    const wanted = fresh.get(path)!.map((value, i) => 0.75 * value + 0.25 * moved.get(path)![i]!);
    expectClose(moved.get(averageVariable(path))!, wanted, REWRITTEN, path);
  }
  expect(evaluate()).not.toEqual(before);
  phase.program.dispose();
}

/** Random values and, harder for a running sum, values that are all the same. */
function normsAreExact(start: StartProgram): void {
  const config = tinyConfig({ model: { embedDim: 512, numHeads: 8, depth: 1 } });
  const ranks: RankPattern = new Map([['blocks.0.attn.v', { rank: 2, alpha: 4 }]]);
  const weights = (path: string, shape: Shape) => {
    const constant = path === 'blocks.0.mlp.fc2.weight' || path === 'blocks.0.attn.q.weight';
    const size = shape.reduce((product, side) => product * side, 1);
    return constant ? new Float32Array(size).fill(0.1) : testNoise(size);
  };
  const phase = startPhase({ config, phase: 'warmup', ranks, weights, start, calls: ['norms'] });
  const { weightSquares } = phase.program.call('norms', {});
  const { distanceSquares } = phase.program.call('norms', {});
  const modules = phase.setup.modules;
  const values = read(phase, [...modules.map((module) => `${module}.weight`), 'blocks.0.attn.v.loraA', 'blocks.0.attn.v.loraB']);
  const remembered = read(phase, modules.map(previousVariable));
  for (const [i, module] of modules.entries()) {
    const effective = module === 'blocks.0.attn.v' ? remembered.get(previousVariable(module))! : values.get(`${module}.weight`)!;
    const exact = Math.sqrt(effective.reduce((total, value) => total + value * value, 0));
    expectClose([Math.sqrt(weightSquares![i]!)], [exact], NORM, `norm of ${module}`);
    expect(distanceSquares![i], `distance of ${module} from itself`).toBe(0);
  }
  const [w, a, b] = ['weight', 'loraA', 'loraB'].map((kind) => values.get(`blocks.0.attn.v.${kind}`)!) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const effective = w.map(
    (value, i) => value + 2 * (a[2 * Math.floor(i / 512)]! * b[i % 512]! + a[2 * Math.floor(i / 512) + 1]! * b[512 + (i % 512)]!),
  );
  expectClose(remembered.get(previousVariable('blocks.0.attn.v'))!, effective, NORM, 'effective weight');
  phase.program.dispose();
}

/** Uneven noise around a mean that is not zero; Weyl's sequence, because a million draws of a named stream take a second. */
function testNoise(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => 0.04 * (((i * 0.6180339887498949) % 1) - 0.3));
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}

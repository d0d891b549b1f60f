/**
 * Our step against PyTorch: HF's ViT, PEFT's LoRA and torch.optim.AdamW with the same weights and batches (test/reference/vit_step.py).
 * Written once, run on every backend and in every way it can run a program.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { runEager } from '../../main/compile/eagerProgram.ts';
import { lrMultiplier } from '../../main/core/schedule.ts';
import { parametersInPhase } from '../../main/core/trainableSet.ts';
import type { BackendName, ChosenBackend } from '../../main/engine/choose.ts';
import type { HostTensor } from '../../main/model/init.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';
import type { Phase } from '../../main/protocol/run.ts';
import { type AdaptedRanks, PhaseTrainer } from '../../main/train/phaseTrainer.ts';
import { freezeState, switchState } from '../../main/train/switchPhase.ts';
import type { TensorState } from '../../main/train/tensorState.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { expectClose, GOLDEN, GOLDEN_RUN } from '../support/tolerance.ts';
import { isMissing, startBackend, starter, type Way, waysOf } from './backendUnderTest.ts';
import { type Goldens, goldenBatch, goldenMask, goldenWeight, readGoldens, uniform } from './goldenData.ts';
import { batchFeeds, gradientsOf, startPhase } from './phaseProgram.ts';

const BATCH = 6;
const UPDATES = 20;
const LR = 3e-3;
const SCHEDULE = { lrWarmupSteps: 4, totalSteps: 30, lrFloor: 0, lrRampSteps: 4, freezeStep: null };

const recipe = { batchSize: BATCH, lr: LR, weightDecay: 0.05, gradClip: 1 };
const colour = tinyConfig({
  model: { imageSize: 12, patchSize: 4, inChannels: 3, embedDim: 32, depth: 3, numHeads: 4, mlpRatio: 1.5, numClasses: 5 },
  train: recipe,
  prelora: { optimizerAtSwitch: 'keepByName', optimizerAtFreeze: 'keepByName' },
});
const gray = tinyConfig({
  model: { imageSize: 8, inChannels: 1, embedDim: 16, depth: 1, numHeads: 2, mlpRatio: 1.5, numClasses: 5, qkvBias: false },
  train: recipe,
});
const masked = tinyConfig({
  model: { imageSize: 8, inChannels: 1, embedDim: 16, mlpRatio: 1.5, numClasses: 5, dropRate: 0.2, attnDropRate: 0.25, dropPathRate: 0.5 },
  train: recipe,
  prelora: { loraDropRate: 0.5 },
});

/** Rank and alpha by module, as in vit_step.py. */
const ranks = rankPattern({
  'blocks.0.attn.q': [2, 4],
  'blocks.0.attn.v': [4, 8],
  'blocks.0.attn.proj': [1, 2],
  'blocks.0.mlp.fc1': [8, 8],
  'blocks.0.mlp.fc2': [2, 16],
  'blocks.1.attn.v': [3, 6],
  'blocks.1.attn.proj': [4, 4],
  'blocks.1.mlp.fc1': [2, 4],
  'blocks.1.mlp.fc2': [16, 32],
  'blocks.2.attn.q': [4, 8],
  'blocks.2.attn.v': [1, 2],
  'blocks.2.mlp.fc2': [4, 8],
});
const maskedRanks = rankPattern({
  'blocks.0.attn.q': [2, 4],
  'blocks.1.attn.proj': [4, 4],
  'blocks.1.mlp.fc1': [2, 4],
  'blocks.1.mlp.fc2': [1, 2],
});

interface GoldenCase {
  golden: string;
  config: ResolvedConfig;
  phase: Phase;
  ranks: AdaptedRanks;
}

const CASES: GoldenCase[] = [
  { golden: 'full', config: colour, phase: 'full', ranks: new Map() },
  { golden: 'gray', config: gray, phase: 'full', ranks: new Map() },
  { golden: 'joint', config: colour, phase: 'warmup', ranks },
  { golden: 'lora', config: colour, phase: 'lora', ranks },
];
const MASKED: GoldenCase = { golden: 'masks', config: masked, phase: 'warmup', ranks: maskedRanks };

/** Declares the tests of one backend. */
export function describeGoldenSteps(backend: BackendName): void {
  describe.skipIf(isMissing(backend)).each(waysOf(backend))(`a training step on ${backend}, %s,`, (way) => {
    let chosen: ChosenBackend;
    beforeAll(async () => {
      chosen = await startBackend(backend);
    });
    test.each(CASES)("has PyTorch's logits, loss and gradients: $golden", (golden) => compareFirstStep(golden, way, chosen));
    test('has the gradients of given dropout factors', () => compareFirstStep(MASKED, way, chosen));
    // What people train on runs all cases; the other ways share all that can go wrong after the first step.
    const isTrainedOn = backend === 'wasm' || way === 'compiled';
    test.each(isTrainedOn ? CASES : CASES.slice(0, 1))("takes PyTorch's 20 updates: $golden", (golden) =>
      compareUpdates(golden, way, chosen),
    );
    if (isTrainedOn) test('keeps moments by name through switch and freeze as PyTorch does', () => comparePhases(way, chosen));
  });
}

async function compareFirstStep({ golden: name, config, phase, ranks }: GoldenCase, way: Way, chosen: ChosenBackend): Promise<void> {
  const { golden, names } = await readGoldens(name);
  const started = startPhase({
    config,
    phase,
    ranks,
    weights: goldenWeight,
    start: starter(way, chosen),
    accumulates: true,
    calls: ['accumulate'],
  });
  const feeds = batchFeeds(started, goldenBatch(config.model, 0, BATCH), BATCH, goldenMask);
  const { loss, logits, gradients } = gradientsOf(started, feeds);
  started.program.dispose();

  expectClose(logits, golden('logits'), GOLDEN, 'logits');
  expectClose([loss], golden('loss'), GOLDEN, 'loss');
  const sum = [...gradients.values()].reduce((sum, values) => values.reduce((all, value) => all + value * value, sum), 0);
  expectClose([Math.sqrt(sum)], golden('gradNorm'), GOLDEN, 'gradient norm');
  const compared = names.filter((tensor) => tensor.startsWith('grad/')).map((tensor) => tensor.slice('grad/'.length));
  expect(compared.length).toBeGreaterThan(20);
  for (const path of compared) {
    // The gradient of k's bias is zero but for rounding (softmax ignores what all keys share): measured against that of k's weight.
    const atLeast = path.endsWith('attn.k.bias') ? largest(golden(`grad/${path.replace('bias', 'weight')}`)) : undefined;
    expectClose(gradients.get(path) ?? [], golden(`grad/${path}`), GOLDEN, `gradient of ${path}`, atLeast);
  }
}

async function compareUpdates({ golden: name, config, phase, ranks }: GoldenCase, way: Way, chosen: ChosenBackend): Promise<void> {
  const { golden } = await readGoldens(name);
  const state = goldenState(config, phase, ranks);
  const start = new Map(state.parameters);
  const trainer = startTrainer({ config, phase, ranks, state }, way, chosen);
  const results = runUpdates(trainer, config, 1, UPDATES);
  compareRun(results, golden);
  compareMoves(start, trainer.readState().parameters, golden);
  trainer.dispose();
}

/** 6 updates in phase full, 7 in warmup, 7 in lora; the tensors go through main/train/switchPhase.ts. */
async function comparePhases(way: Way, chosen: ChosenBackend): Promise<void> {
  const { golden } = await readGoldens('keepByName');
  const config = colour;
  const results: { loss: number; gradNorm: number }[] = [];
  let state = goldenState(config, 'full', new Map());
  const run = (phase: Phase, from: number, to: number, freezeStep: number | null = null): void => {
    const trainer = startTrainer({ config, phase, ranks: phase === 'full' ? new Map() : ranks, state }, way, chosen);
    results.push(...runUpdates(trainer, config, from, to, freezeStep));
    state = trainer.readState();
    trainer.dispose();
  };
  const first = new Map(state.parameters);
  run('full', 1, 6);
  state = withGoldenAdapters(switchState(state, config, ranks));
  const adapters = [...state.parameters].filter(([path]) => /\.lora[AB]$/.test(path));
  run('warmup', 7, 13);
  state = freezeState(state, config, ranks);
  run('lora', 14, 20, 13);
  compareRun(results, golden);
  compareMoves(new Map([...first, ...adapters]), state.parameters, golden);
}

function runUpdates(trainer: PhaseTrainer, config: ResolvedConfig, from: number, to: number, freezeStep: number | null = null) {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const step = from + i;
    return trainer.update(step, LR * lrMultiplier(step, { ...SCHEDULE, freezeStep }), [goldenBatch(config.model, step, BATCH)]);
  });
}

function compareRun(results: readonly { loss: number; gradNorm: number }[], golden: Goldens): void {
  for (const [i, { loss, gradNorm }] of results.entries()) {
    expectClose([loss], [golden('losses')[i]!], GOLDEN_RUN, `loss of update ${i + 1}`);
    expectClose([gradNorm], [golden('gradNorms')[i]!], GOLDEN_RUN, `gradient norm of update ${i + 1}`);
  }
  expect(results).toHaveLength(UPDATES);
}

/** How far each tensor came, and its place along a fixed direction. */
function compareMoves(start: ReadonlyMap<string, HostTensor>, end: ReadonlyMap<string, HostTensor>, golden: Goldens): void {
  for (const [path, { data }] of start) {
    // AdamW turns the rounding errors that are the gradient of k's bias into whole steps; they change no output.
    if (path.endsWith('attn.k.bias')) continue;
    const direction = uniform(`direction ${path}`, data.length);
    const moved = end.get(path)!.data.map((value, i) => value - data[i]!);
    const norm = Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0));
    const along = moved.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    expectClose([norm, along], golden(`moved/${path}`), GOLDEN_RUN, `move of ${path}`);
  }
}

function startTrainer(
  parts: { config: ResolvedConfig; phase: Phase; ranks: AdaptedRanks; state: TensorState },
  way: Way,
  chosen: ChosenBackend,
): PhaseTrainer {
  return new PhaseTrainer({ ...parts, start: starter(way, chosen), startEager: runEager });
}

/** The golden weights with an empty optimizer. */
function goldenState(config: ResolvedConfig, phase: Phase, ranks: AdaptedRanks): TensorState {
  const plan = Object.fromEntries([...ranks].map(([module, { rank }]) => [module, rank]));
  const states = parametersInPhase(config, phase, plan);
  const parameters = new Map(states.map(({ path, shape }) => [path, { shape, data: goldenWeight(path, shape) }]));
  const updateCounts = new Map(states.filter(({ trainable }) => trainable).map(({ path }) => [path, 0]));
  return { parameters, moments: new Map(), updateCounts, previous: null, average: null };
}

/** loraA from the golden data in place of the stream's; loraB stays zero, as at a switch. */
function withGoldenAdapters(state: TensorState): TensorState {
  const parameters = new Map(state.parameters);
  for (const [path, { shape }] of state.parameters) {
    if (path.endsWith('.loraA')) parameters.set(path, { shape, data: goldenWeight(path, shape) });
  }
  return { ...state, parameters };
}

function rankPattern(modules: Record<string, [rank: number, alpha: number]>): AdaptedRanks {
  return new Map(Object.entries(modules).map(([module, [rank, alpha]]) => [module, { rank, alpha }]));
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

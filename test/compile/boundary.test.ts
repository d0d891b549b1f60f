/**
 * What crosses between host and device while a step runs, read off its graph: the declared feeds and fetches, which are as small as a batch.
 * Every other operation computes where TensorFlow places it; on a GPU nothing in between comes back.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { assembleGraph } from '../../main/compile/assembleGraph.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import { specOf } from '../../main/compile/graph.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { GraphProgram } from '../../main/compile/program.ts';
import { registerSymbolicBackend } from '../../main/compile/symbolicBackend.ts';
import { setupOf } from '../../main/host/bench/cases.ts';
import type { Phase } from '../../main/protocol/run.ts';
import { PhaseTrainer } from '../../main/train/phaseTrainer.ts';
import { freezeState, initialState, switchState } from '../../main/train/switchPhase.ts';
import { hasNative, startNative } from './support/nativeBackend.ts';

const SHAPE = { embedDim: 16, depth: 2, numHeads: 2, imageSize: 8, patchSize: 4, numClasses: 3 };
const BATCH = 2;

let binding: NativeBinding;
beforeAll(async () => {
  if (hasNative) binding = await startNative();
});

function programOf(phase: Phase): GraphProgram {
  const { config, ranks: rankOf } = setupOf({ name: 'tiny', shape: SHAPE, batch: BATCH }, { phase, threads: 1, tracksDisplacement: true });
  const ranks = new Map(Object.entries(rankOf).map(([module, rank]) => [module, { rank, alpha: 2 * rank }]));
  const full = initialState(config);
  const state = phase === 'full' ? full : freezeState(switchState(full, config, ranks), config, ranks);
  let program: GraphProgram | undefined;
  const start = (asked: GraphProgram) => {
    program = asked;
    return runEager(asked);
  };
  new PhaseTrainer({ config, phase, ranks, state, start, startEager: runEager }).dispose();
  return program as GraphProgram;
}

describe.skipIf(!hasNative)('the graph of a phase (skipped without a native engine)', () => {
  test.each(['full', 'lora'] as const)('%s: only declared feeds and fetches cross', (phase) => {
    const program = programOf(phase);
    const { nodes, functions, variables } = assembleGraph(program, registerSymbolicBackend(binding as unknown as Record<string, number>));

    const declared = new Set([...functions.values()].flatMap(({ feeds }) => [...feeds.values()]));
    for (const { feed, fill } of variables.values()) declared.add(feed).add(fill);
    const placeholders = nodes.filter(({ op }) => op === 'Placeholder').map(({ name }) => `${name}:0`);
    expect(placeholders.filter((name) => !declared.has(name))).toEqual([]);

    const crossing = /Func|Host|Send|Recv|Print|Summary|File|Queue|Iterator|Dataset|Barrier|Stage|Restore|Save/;
    expect(nodes.map(({ op }) => op).filter((op) => crossing.test(op))).toEqual([]);

    const step = functions.get('step');
    const fetched = (step?.fetches ?? [])
      .map((fetch) => nodes.find(({ name }) => `${name}:0` === fetch))
      .filter((node) => node !== undefined);
    expect(fetched.length).toBeGreaterThan(1);
    const smallestWeight = SHAPE.embedDim ** 2;
    for (const node of fetched) {
      if (node.outputs.length === 0) continue;
      const { shape } = specOf({ node, index: 0 });
      expect(
        shape.reduce((size, side) => size * side, 1),
        node.name,
      ).toBeLessThan(smallestWeight);
    }
  });
});

/**
 * The list of products holds the work of the formulas of core/cost.ts, which are held against method.md section 13, less what the last block
 * does not compute: of its q, proj, fc1 and fc2 (10·D² of 12·D²) and of its attention only the class token's row.
 */
import { describe, expect, test } from 'vitest';
import { multiplyAdds } from '../../main/core/cost.ts';
import { matrixProducts, productMultiplyAdds } from '../../main/core/matrixProducts.ts';
import { allModules } from '../../main/core/modules.ts';
import { CASES, setupOf } from '../../main/host/bench/cases.ts';
import type { ModelShape } from '../../main/protocol/config.ts';

const MICRO_BATCH = 3;

function sizes({ embedDim, depth, imageSize, patchSize }: ModelShape) {
  return { embedDim, depth, N: (imageSize / patchSize) ** 2 + 1 };
}

describe.each(CASES)('$name', (benchCase) => {
  test('in phase full the products are the counted multiply-adds, less the last block’s unused rows', () => {
    const { config } = setupOf(benchCase, { phase: 'full', threads: 1 });
    const products = matrixProducts(config, 'full', {}, MICRO_BATCH);
    const { embedDim: D, N } = sizes(config.model);
    const unused = MICRO_BATCH * (N - 1) * (3 * 10 * D * D + 6 * N * D);
    expect(productMultiplyAdds(products)).toBe(MICRO_BATCH * multiplyAdds(config, 'full', {}).total - unused);
  });

  test('after the freeze each adapter adds what its form costs, and no weight gradient is left', () => {
    const { config, ranks } = setupOf(benchCase, { phase: 'lora', threads: 1 });
    const products = matrixProducts(config, 'lora', ranks, MICRO_BATCH);
    const { embedDim: D, depth, N } = sizes(config.model);
    const rows = MICRO_BATCH * N;
    const unusedRows = MICRO_BATCH * (N - 1);
    // Gradients of A and B are skinny products of all rows; what is left is the cheaper of adapting the rows and adapting the weight.
    const adapter = (n: number, inputs: number, outputs: number) =>
      8 * (2 * n * (inputs + outputs) + Math.min(n * (inputs + outputs), inputs * outputs));
    const block = (n: number) => 2 * adapter(rows, D, D) + 2 * adapter(n, D, D) + adapter(n, D, 4 * D) + adapter(n, 4 * D, D);
    const adapters = (depth - 1) * block(rows) + block(MICRO_BATCH);
    // The formula takes three skinny products in and three out: 18·D is the sum of in + out over a block (method.md section 13).
    const skinny = depth * 3 * 8 * 18 * D * rows;
    const unused = unusedRows * (2 * 10 * D * D + 6 * N * D);
    const formula = MICRO_BATCH * multiplyAdds(config, 'lora', ranks).total;
    expect(productMultiplyAdds(products)).toBe(formula - skinny - unused + adapters);
    expect(products.filter(({ m, k, n, transposed }) => transposed === 'left' && k === rows && Math.min(m, n) >= D)).toEqual([]);
  });
});

test('a module without adapter has none of its products', () => {
  const { config, ranks } = setupOf(CASES[0] as (typeof CASES)[number], { phase: 'lora', threads: 1 });
  const some = Object.fromEntries(
    allModules(config.model.depth).map((module) => [module, module.endsWith('.q') ? 0 : (ranks[module] as number)]),
  );
  const all = productMultiplyAdds(matrixProducts(config, 'warmup', ranks, 1));
  expect(productMultiplyAdds(matrixProducts(config, 'warmup', some, 1))).toBeLessThan(all);
});

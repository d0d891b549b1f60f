/** The list of products holds the same work as the formulas of core/cost.ts, which are held against method.md section 13. */
import { describe, expect, test } from 'vitest';
import { multiplyAdds } from '../../main/core/cost.ts';
import { matrixProducts, productMultiplyAdds } from '../../main/core/matrixProducts.ts';
import { allModules } from '../../main/core/modules.ts';
import { CASES, setupOf } from '../../main/host/bench/cases.ts';

const MICRO_BATCH = 3;

describe.each(CASES)('$name', (benchCase) => {
  test('in phase full the products are exactly the counted multiply-adds', () => {
    const { config } = setupOf(benchCase, { phase: 'full', threads: 1 });
    const products = matrixProducts(config, 'full', {}, MICRO_BATCH);
    expect(productMultiplyAdds(products)).toBe(MICRO_BATCH * multiplyAdds(config, 'full', {}).total);
  });

  test('after the freeze the adapters add four skinny products and A·B per module, and no weight gradient is left', () => {
    const { config, ranks } = setupOf(benchCase, { phase: 'lora', threads: 1 });
    const products = matrixProducts(config, 'lora', ranks, MICRO_BATCH);
    const { embedDim: D, depth } = config.model;
    const rows = MICRO_BATCH * ((config.model.imageSize / config.model.patchSize) ** 2 + 1);
    // Per block 18·D is the sum of in + out, 12·D² that of in · out (method.md section 13).
    const merged = depth * 8 * 12 * D * D;
    const skinny = depth * 8 * 18 * D * rows;
    const formula = MICRO_BATCH * multiplyAdds(config, 'lora', ranks).total;
    expect(productMultiplyAdds(products)).toBe(formula - 3 * skinny + 2 * skinny + merged);
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

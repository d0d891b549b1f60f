// @vitest-environment ../support/pageEnvironment.ts
import { describe, expect, it } from 'vitest';
import { WhatIf } from '../../renderer/state/whatIf.svelte.ts';

async function swept(tau: number, zeta: number) {
  const whatIf = new WhatIf(async () => ({ switchStep: null, windows: [], ranks: {}, reasons: [] }));
  await whatIf.sweep({ tau, zeta });
  return whatIf.sensitivity;
}

describe('the sensitivity of the switch', () => {
  it('is swept from a quarter to four times τ, for half, the same and twice the ζ', async () => {
    const lines = await swept(1, 5);
    expect(lines.map((line) => line.zeta)).toEqual([2.5, 5, 10]);
    for (const { points } of lines) expect([points[0]?.tau, points[6]?.tau, points[12]?.tau]).toEqual([0.25, 1, 4]);
  });

  it('has each threshold once, also where twice of it is more than there is', async () => {
    const lines = await swept(100, 100);
    expect(lines.map((line) => line.zeta)).toEqual([50, 100]);
    const taus = lines[0]?.points.map((point) => point.tau) ?? [];
    expect(new Set(taus).size).toBe(taus.length);
    expect(Math.max(...taus)).toBe(100);
  });
});

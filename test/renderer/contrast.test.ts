/** What axe cannot see on a canvas: the tokens' contrasts, and that the six families stay apart under simulated colour blindness. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { contrast, parseHex, ramp, textOn, toOklab } from '../../renderer/charts/ramp.ts';

const css = readFileSync(new URL('../../renderer/styles/tokens.css', import.meta.url), 'utf8');
const FAMILIES = ['q', 'k', 'v', 'proj', 'fc1', 'fc2'];
const THEMES = ['light', 'dark', 'contrast'] as const;

function tokens(theme: string): Record<string, string> {
  const block = new RegExp(`\\[data-theme=["']${theme}["']\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? '';
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map(([, name, value]) => [name as string, value as string]));
}

describe.each(THEMES)('%s', (theme) => {
  const t = tokens(theme);
  const on = (foreground: string, background: string): number => contrast(t[foreground] as string, t[background] as string);

  it.each(['fg', 'fg-2', 'fg-3', 'ok', 'warn', 'bad'])('%s is text of at least 4.5:1 on window, panel and popover', (name) => {
    for (const background of ['bg', 'surface', 'raised']) expect(on(name, background)).toBeGreaterThanOrEqual(4.5);
  });

  it('text on accent, on a selected row and on banners reads', () => {
    expect(on('on-accent', 'accent')).toBeGreaterThanOrEqual(4.5);
    expect(on('fg', 'accent-tint')).toBeGreaterThanOrEqual(4.5);
    expect(on('fg-3', 'accent-tint')).toBeGreaterThanOrEqual(4.5);
    expect(on('fg', 'warn-tint')).toBeGreaterThanOrEqual(4.5);
    expect(on('fg', 'bad-tint')).toBeGreaterThanOrEqual(4.5);
  });

  it.each(['control-line', 'accent', 'validation', ...FAMILIES])('%s is a line of at least 3:1', (name) => {
    for (const background of ['bg', 'surface']) expect(on(name, background)).toBeGreaterThanOrEqual(3);
  });

  it('families have at least 3.5:1 on window and panel', () => {
    for (const family of FAMILIES) for (const background of ['bg', 'surface']) expect(on(family, background)).toBeGreaterThanOrEqual(3.5);
  });

  it('the number in a rank cell reads on every step of the ramp', () => {
    for (const colour of ramp(t['rank-low'] as string, t['rank-high'] as string, 11)) {
      expect(contrast(textOn(colour), colour)).toBeGreaterThanOrEqual(4.5);
    }
  });
});

/** Viénot 1999 for red and green, Brettel 1997's tritan plane for blue, as matrices on linear sRGB (DaltonLens' summary of them). */
const SIMULATIONS = {
  red: [0.11238, 0.88762, 0, 0.11238, 0.88762, 0, 0.00401, -0.00401, 1],
  green: [0.29275, 0.70725, 0, 0.29275, 0.70725, 0, -0.02234, 0.02234, 1],
  blue: [1, 0.1446, -0.1446, 0, 0.85924, 0.14076, 0, 0.85924, 0.14076],
};

function simulate(hex: string, m: readonly number[]): string {
  const linear = parseHex(hex).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  const seen = [0, 3, 6].map(
    (i) => (m[i] ?? 0) * (linear[0] ?? 0) + (m[i + 1] ?? 0) * (linear[1] ?? 0) + (m[i + 2] ?? 0) * (linear[2] ?? 0),
  );
  const bytes = seen
    .map((c) => Math.min(1, Math.max(0, c)))
    .map((c) => Math.round(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055)));
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function smallestDistance(colours: string[]): number {
  let smallest = Number.POSITIVE_INFINITY;
  colours.forEach((a, i) => {
    for (const b of colours.slice(i + 1)) {
      const [p, q] = [toOklab(parseHex(a)), toOklab(parseHex(b))];
      smallest = Math.min(smallest, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
    }
  });
  return smallest;
}

it.each(['light', 'dark'])('%s: families stay apart for red-, green- and blue-weak eyes', (theme) => {
  const t = tokens(theme);
  for (const matrix of Object.values(SIMULATIONS)) {
    const seen = FAMILIES.map((family) => simulate(t[family] as string, matrix));
    expect(smallestDistance(seen)).toBeGreaterThan(0.05);
  }
});

/** The tokens a canvas needs, read from the document: a canvas does not see CSS variables. Read again when the theme changes. */
import { FAMILIES, type Family } from '../../main/protocol/families.ts';

const COLOURS = [
  'bg',
  'surface',
  'fg',
  'fg-2',
  'fg-3',
  'line',
  'grid',
  'control-line',
  'accent',
  'ok',
  'warn',
  'bad',
  'validation',
] as const;
const RAMPS = ['rank-low', 'rank-high', 'diff-minus', 'diff-zero', 'diff-plus'] as const;
export type ColourName = (typeof COLOURS)[number] | (typeof RAMPS)[number] | Family;

export interface ChartTheme {
  colour: Record<ColourName, string>;
  font: string;
  rawWidth: number;
  strongWidth: number;
  /** Text size against the usual one: 2 at 200 %. */
  scale: number;
}

/** Dash of each family, so that colour is never the only carrier. */
export const FAMILY_DASH: Record<Family, readonly number[]> = {
  q: [],
  k: [6, 2],
  v: [2, 2],
  proj: [8, 2, 2, 2],
  fc1: [4, 4],
  fc2: [1, 3],
};

/** The minifier writes `#fff`; mixing and alpha want six digits. */
export function longHex(hex: string): string {
  return /^#[0-9a-f]{3}$/i.test(hex) ? hex.replace(/[0-9a-f]/gi, '$&$&') : hex;
}

export function readTheme(): ChartTheme {
  const style = getComputedStyle(document.documentElement);
  const names: ColourName[] = [...COLOURS, ...RAMPS, ...FAMILIES];
  const colour = Object.fromEntries(names.map((name) => [name, longHex(style.getPropertyValue(`--${name}`).trim())])) as Record<
    ColourName,
    string
  >;
  return {
    colour,
    font: style.getPropertyValue('--font').trim(),
    rawWidth: Number(style.getPropertyValue('--line-raw')),
    strongWidth: Number(style.getPropertyValue('--line-strong')),
    scale: Number.parseFloat(style.fontSize) / 16,
  };
}

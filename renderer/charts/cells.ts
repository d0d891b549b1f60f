/** Colours and texts of the cells of a module map: ranks one step per power of two, changes on a logarithmic scale, differences diverging. */
import { heatColours, position } from './heat.ts';
import { mix, ramp, textOn } from './ramp.ts';
import type { ChartTheme } from './theme.ts';

export interface Cell {
  text: string;
  background: string | null;
  colour: string | null;
  /** Set by hand. */
  marked?: boolean;
  title: string;
}

/** One colour per power of two from 1 to the largest rank on the map. */
export function rankCell(rank: number, rMax: number, theme: ChartTheme, about: { marked?: boolean; title: string }): Cell {
  if (rank === 0) return { text: '–', background: null, colour: null, ...about };
  const steps = Math.max(2, Math.ceil(Math.log2(Math.max(2, rMax))) + 1);
  const colours = ramp(theme.colour['rank-low'], theme.colour['rank-high'], steps);
  const background = colours[Math.min(steps - 1, Math.max(0, Math.round(Math.log2(rank))))] as string;
  return { text: String(rank), background, colour: textOn(background), ...about };
}

/** A value on the logarithmic scale of changes. */
export function valueCell(value: number | null, ends: [number, number], theme: ChartTheme, about: { text: string; title: string }): Cell {
  if (value === null) return { ...about, text: '–', background: null, colour: null };
  const colours = heatColours(theme.colour['rank-low'], theme.colour['rank-high']);
  const background = colours[Math.round(position(value, ...ends) * (colours.length - 1))] as string;
  return { ...about, background, colour: textOn(background) };
}

/** A difference of ranks in powers of two: zero neutral, signs told by text too. */
export function differenceCell(from: number, to: number, theme: ChartTheme, title: string): Cell {
  const steps = Math.log2(Math.max(1, to)) - Math.log2(Math.max(1, from));
  const end = theme.colour[steps < 0 ? 'diff-minus' : 'diff-plus'];
  const background = mix(theme.colour['diff-zero'], end, Math.min(1, Math.abs(steps) / 3));
  const text = from === to ? '=' : `${to > from ? '+' : '−'}${Math.abs(to - from)}`;
  return { text, background, colour: textOn(background), title };
}

/** What a line chart is given: plain data, no runes (style.md section 9), built anew by the panel whenever records arrive. */
import type { Phase } from '../../main/protocol/run.ts';
import type { Columns } from './series.ts';
import type { ColourName } from './theme.ts';

export interface LineSeries {
  key: string;
  label: string;
  colour: ColourName;
  data: Columns;
  dash?: readonly number[];
  /** Faint thin line under a smoothed one. */
  raw?: boolean;
  /** Drawn dotted: an abandoned segment. */
  abandoned?: boolean;
  /** Right axis, whose label is `LineModel.rightLabel`. */
  right?: boolean;
  /** Over the height of the plot, from 0 to its largest value, without an axis: for a curve that lies beneath others, such as the LR. */
  ownScale?: boolean;
  /** Text of one value, with its unit. */
  format: (value: number) => string;
  /** Marks single points, for sparse series such as one value per epoch. */
  points?: boolean;
  /** No end label (raw curves, dotted tails). */
  unlabelled?: boolean;
}

/** The axis that a curve is drawn on. */
export function scaleOf({ right, ownScale }: LineSeries): 'y' | 'right' | 'own' {
  return ownScale ? 'own' : right ? 'right' : 'y';
}

export interface Threshold {
  label: string;
  value: number;
  /** The value being tried by drag or keys, when it differs. */
  draft: number | null;
  min: number;
  max: number;
  step: number;
  format: (value: number) => string;
  /** Called while dragging and by keys; `null` gives the draft up. */
  onDraft: ((value: number | null) => void) | null;
}

/** A vertical mark: an event of the journal, by its letter of product.md section 5. */
export interface Marker {
  x: number;
  step: number;
  letter: string;
  label: string;
}

/** A stretch of the x axis in one phase. */
export interface PhaseSpan {
  phase: Phase;
  from: number;
  to: number;
}

export interface LineModel {
  /** Axis title with unit, such as `loss` or `change, %`. */
  yLabel: string;
  rightLabel?: string;
  xLabel: string;
  series: LineSeries[];
  xRange: [number, number];
  logY: boolean;
  formatX: (value: number) => string;
  formatTick: (value: number) => string;
  formatRightTick?: (value: number) => string;
  thresholds: Threshold[];
  markers: Marker[];
  phases: PhaseSpan[];
  /** Ring with label at the best value. */
  best?: { x: number; y: number; label: string; right?: boolean };
  /** Ticks and crosses under the curve: the verdict of each comparison; null from where on nothing is tested. */
  verdicts?: { xs: ArrayLike<number>; ok: (index: number) => boolean | null };
  /** Said to assistive technology and shown nowhere else. */
  summary: string;
}

/** Named pairs of thresholds (method.md section 4), in percent per snapshot interval. They carry over only with the interval they are for. */

export interface ThresholdPreset {
  tau: number;
  zeta: number;
  source: string;
}

export const THRESHOLD_PRESETS = {
  relaxed: { tau: 5, zeta: 10, source: "the authors' command-line defaults" },
  'paper-exp1': { tau: 1, zeta: 5, source: "the paper's Exp1; our default" },
  'paper-exp2': { tau: 0.5, zeta: 2.5, source: "the paper's Exp2" },
  'paper-exp3': { tau: 0.25, zeta: 1, source: "the paper's Exp3" },
} as const satisfies Record<string, ThresholdPreset>;

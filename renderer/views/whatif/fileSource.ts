/** Snapshots of a file as the charts look at a run: up to the last that was tested, since nothing else is known of it. */
import type { FileReplay, ReplayResult, WhatIfSettings } from '../../../main/protocol/results.ts';
import { blankStatus } from '../../../main/protocol/run.ts';
import type { PlotState } from '../../state/plots.svelte.ts';
import type { RunRecords } from '../../state/records.ts';
import { fullRange, type LiveSource } from '../live/source.ts';

/** `records` are empty, and the same from call to call: charts keep what they have drawn by them. */
export function fileSource(
  { config, lastStep, windows }: FileReplay,
  { records, plots, replay, settings }: { records: RunRecords; plots: PlotState; replay: ReplayResult | null; settings: WhatIfSettings },
): LiveSource {
  const { tau, zeta, normMetric } = { ...config.prelora, ...settings };
  const { axis, logLoss, logChange, smoothing } = plots;
  const step = windows.at(-1)?.step ?? lastStep;
  const status = blankStatus({ status: 'interrupted', step, totalSteps: step, stepsPerEpoch: 1 });
  return {
    records,
    status,
    config: {
      ...config,
      prelora: {
        ...config.prelora,
        tau: tau ?? config.prelora.tau,
        zeta: zeta ?? config.prelora.zeta,
        normMetric: normMetric ?? config.prelora.normMetric,
      },
    },
    replay,
    phaseSpans: [],
    axis,
    range: plots.shownOf(fullRange({ records, status, axis })),
    logLoss,
    logChange,
    smoothing,
    curves: new Set(),
  };
}

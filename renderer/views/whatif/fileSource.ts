/** Snapshots of a file as the charts look at a run: up to the last that was tested, since nothing else is known of it. */
import type { FileReplay, ReplayResult, WhatIfSettings } from '../../../main/protocol/results.ts';
import type { StatusFile } from '../../../main/protocol/run.ts';
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
  const status = statusAt(windows.at(-1)?.step ?? lastStep);
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

/** A stand-in for the status of a run in the Full phase. */
function statusAt(step: number): StatusFile {
  return {
    runId: '',
    name: '',
    status: 'interrupted',
    phase: 'full',
    step,
    totalSteps: step,
    stepsPerEpoch: 1,
    epoch: 0,
    epochs: 0,
    segment: 0,
    switchStep: null,
    freezeStep: null,
    trainableParameters: 0,
    totalParameters: 0,
    best: null,
    backend: { name: '', version: '', device: '', why: '', compiled: false },
    message: null,
    updatedAt: '',
  };
}

/** Preview and replay of the fake engine: the rules of main/core over a made-up history. */
import { phaseSettings } from '../../../main/core/phaseSettings.ts';
import { previewSwitch } from '../../../main/core/preview.ts';
import { replay } from '../../../main/core/replay.ts';
import type { ResolvedConfig } from '../../../main/protocol/config.ts';
import type { WhatIfSettings } from '../../../main/protocol/results.ts';
import { protocolCost, ranksFile } from './history.ts';
import type { ScriptedRun } from './run.ts';

export function previewOf(run: ScriptedRun, settings: WhatIfSettings) {
  const length = { stepsPerEpoch: run.history.stepsPerEpoch, totalSteps: run.history.totalSteps };
  const proposed: ResolvedConfig = { ...run.config, prelora: { ...run.config.prelora, ...definedOnly(settings) } };
  const preview = previewSwitch({ snapshots: testedSnapshots(run), present: run.config, proposed, length });
  const ranks = preview.plan?.ranks ?? {};
  return {
    step: run.step,
    passes: preview.verdict.passes,
    words: preview.verdict.words,
    ranks: ranksFile(run.step, preview),
    problem: preview.planError?.message ?? null,
    now: protocolCost(run.config, 'full', {}, 1250),
    warmup: preview.plan && protocolCost(proposed, 'warmup', ranks, 1180),
    lora: preview.plan && protocolCost(proposed, 'lora', ranks, 1600),
    pace: preview.plan && { jointSteps: phaseSettings(proposed, length).jointSteps, warmup: 1180 / 1250, lora: 1600 / 1250 },
  };
}

export function replayOf(run: ScriptedRun, settings: WhatIfSettings) {
  const length = { stepsPerEpoch: run.history.stepsPerEpoch, totalSteps: run.history.totalSteps };
  const config: ResolvedConfig = { ...run.config, prelora: { ...run.config.prelora, ...definedOnly(settings) } };
  const place = phaseSettings(config, length);
  const result = replay(testedSnapshots(run), { ...place.config, ...place });
  const { switchStep, windows, ranks, reasons } = result;
  return {
    switchStep,
    windows: windows.map((window) => ({ ...window, families: window.families as Record<string, number> })),
    ranks,
    reasons,
  };
}

function testedSnapshots(run: ScriptedRun) {
  return run.history.snapshots.filter(({ step }) => step <= run.step && (run.switchStep === null || step <= run.switchStep));
}

function definedOnly(settings: WhatIfSettings): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

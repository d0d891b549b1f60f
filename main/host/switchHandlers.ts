/** Requests about the switch: what it would do (pure, from recorded snapshots), trying it out, and making, delaying or undoing it. */

import { phaseSettings } from '../core/phaseSettings.ts';
import { previewSwitch } from '../core/preview.ts';
import { replay } from '../core/replay.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { SnapshotRecord } from '../protocol/records.ts';
import type { PhaseCost, SwitchPreview, WhatIfSettings } from '../protocol/results.ts';
import type { StatusFile } from '../protocol/run.ts';
import { readRecords } from '../store/runFolder.ts';
import type { EngineHost } from './engineHost.ts';
import { predictPhase } from './estimate.ts';
import type { EngineHandlers } from './handlers.ts';
import { readRecorded, replayRecorded } from './replayRun.ts';
import { readRunFiles } from './runReading.ts';
import { whilePaused } from './whilePaused.ts';

type Names = `switch:${string}` | 'replay' | 'replay:file';

const TRIAL_STEPS = 20;

export function switchHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, Names>> {
  return {
    async 'switch:preview'({ runId, settings }) {
      return preview(await readJudged(host, runId), settings);
    },
    async replay({ runId, settings }) {
      const { config, status, snapshots } = await readJudged(host, runId);
      const changed = withSettings(config, settings);
      const { minStep, graceSteps, jointSteps, totalSteps, config: ranks } = phaseSettings(changed, status);
      const { report: _verdict, ...result } = replay(snapshots, {
        ...ranks,
        minStep,
        graceSteps,
        jointSteps,
        totalSteps: totalSteps || null,
      });
      return result;
    },
    async 'replay:file'({ path, settings }) {
      const recorded = await readRecorded(path);
      const { report: _verdict, ...result } = replayRecorded(recorded, settings);
      const { config, isOwnConfig, snapshots } = recorded;
      return { ...result, config, isOwnConfig, snapshots: snapshots.length, lastStep: snapshots.at(-1)?.step ?? 0 };
    },
    'switch:trial': ({ runId, ranks }) => trial(host, runId, ranks),
    async 'switch:now'({ runId, ranks }) {
      await host.command(runId, { kind: 'switchNow', ...(ranks ? { ranks } : {}) });
    },
    async 'switch:defer'({ runId, until }) {
      await host.command(runId, { kind: 'defer', until });
    },
    async 'switch:veto'({ runId }) {
      await host.command(runId, { kind: 'veto' });
    },
    async 'switch:freezeNow'({ runId }) {
      await host.command(runId, { kind: 'freezeNow' });
    },
    async 'switch:undo'({ runId }) {
      await host.command(runId, { kind: 'undo' });
    },
  };
}

interface JudgedRun {
  config: ResolvedConfig;
  status: StatusFile;
  snapshots: SnapshotRecord[];
}

async function readJudged(host: EngineHost, runId: string): Promise<JudgedRun> {
  const dir = await host.catalog.find(runId);
  const [{ config, status }, snapshots] = await Promise.all([readRunFiles(runId, dir), readRecords(dir, 'snapshots')]);
  return { config, status: host.liveRun(runId)?.status ?? status, snapshots };
}

/** The run's config with thresholds and rank settings replaced, checked like any config. */
function withSettings(config: ResolvedConfig, settings: WhatIfSettings): ResolvedConfig {
  return parseConfig({ ...config, prelora: { ...config.prelora, ...settings } }) as unknown as ResolvedConfig;
}

function preview({ config, status, snapshots }: JudgedRun, settings: WhatIfSettings): SwitchPreview {
  const proposed = withSettings(config, settings);
  const { verdict, plan, planError } = previewSwitch({ snapshots, present: config, proposed, length: status });
  const costOf = (phase: 'warmup' | 'lora'): PhaseCost | null => plan && predictPhase(proposed, phase, plan.ranks);
  const { modules, adapterParameters, trainableAfterFreeze, share } = plan ?? {};
  const isPlanned = modules && adapterParameters !== undefined && trainableAfterFreeze !== undefined && share !== undefined;
  const now = predictPhase(config, 'full', {});
  const [warmup, lora] = [costOf('warmup'), costOf('lora')];
  return {
    step: status.step,
    passes: verdict.passes,
    words: verdict.words,
    ranks: isPlanned ? { step: status.step, reason: 'user', modules, adapterParameters, trainableAfterFreeze, share } : null,
    problem: planError?.message ?? null,
    now: withMeasured(now, status),
    warmup,
    lora,
    pace: paceOf({ now, warmup, lora }, phaseSettings(proposed, status).jointSteps),
  };
}

function paceOf({ now, warmup, lora }: Record<'now' | 'warmup' | 'lora', PhaseCost | null>, jointSteps: number): SwitchPreview['pace'] {
  const full = now?.imagesPerSecond;
  if (!full || !warmup?.imagesPerSecond || !lora?.imagesPerSecond) return null;
  return { jointSteps, warmup: warmup.imagesPerSecond / full, lora: lora.imagesPerSecond / full };
}

/** The pace of the running phase full, where the run has measured it. */
function withMeasured(cost: PhaseCost, status: StatusFile): PhaseCost {
  const phases = Array.isArray(status.phases) ? (status.phases as { phase?: unknown; imagesPerSecond?: unknown }[]) : [];
  const pace = phases.find(({ phase }) => phase === 'full')?.imagesPerSecond;
  return typeof pace === 'number' ? { ...cost, imagesPerSecond: pace, measured: true } : cost;
}

/**
 * Times both phases in a trainer of its own, on tensors of its own: the run is only paused meanwhile, because a device that is shared
 * would be measured wrongly.
 */
async function trial(host: EngineHost, runId: string, ranks: Record<string, number>): Promise<{ now: PhaseCost; lora: PhaseCost }> {
  const { config } = await readJudged(host, runId);
  try {
    return await whilePaused(host, runId, async () => {
      const measure = async (phase: 'full' | 'lora', fraction: number): Promise<PhaseCost> => {
        host.broadcast('task:progress', { task: 'switch:trial', message: `${TRIAL_STEPS} steps of phase ${phase}`, fraction });
        const plan = phase === 'full' ? {} : ranks;
        const measured = await host.runJob(
          config.engine,
          (client) => client.request('measurePhase', { config, phase, ranks: plan, steps: TRIAL_STEPS }),
          { beside: runId },
        );
        const cost = predictPhase(config, phase, plan);
        return { ...cost, imagesPerSecond: measured.imagesPerSecond, totalBytes: measured.peakMemoryBytes, measured: true };
      };
      return { now: await measure('full', 0), lora: await measure('lora', 0.5) };
    });
  } finally {
    host.broadcast('task:progress', { task: 'switch:trial', message: 'done', fraction: 1 });
  }
}

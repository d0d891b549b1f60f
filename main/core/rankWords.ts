/** Why a module has its rank, in a sentence with the numbers in it. */
import type { ModuleName } from './modules.ts';
import type { RankBin } from './rankBins.ts';
import { type ControlSettings, type PreloraSettings, placeOf } from './targets.ts';

/** A target on its way through the rules of rank assignment. */
export interface RankDraft {
  module: ModuleName;
  bin: RankBin | null;
  /** Rank of the bin after the control, before clamp, override and budget; null when nothing was measured. */
  binRank: number | null;
  /** Largest power of two the module's matrices can carry. */
  cap: number;
  override: number | null;
  /** Rank before the budget. */
  unbudgeted: number;
  rank: number;
}

interface WordsConfig {
  prelora: Pick<PreloraSettings, 'rankPool' | 'rankMetric'>;
  control: Pick<ControlSettings, 'ranks' | 'uniformRank'>;
}

/** "change 0.78 % in family q (0.12 to 0.93 %): position 0.81, rank 32; at most 16 fits". */
export function rankWords(draft: RankDraft, config: WordsConfig): string {
  if (draft.override !== null) {
    const computed = draft.binRank === null ? '' : ` (computed: ${Math.min(draft.binRank, draft.cap)})`;
    return draft.override === 0 ? `set by hand: no adapter, stays trainable${computed}` : `set by hand${computed}`;
  }
  const parts = [config.control.ranks === 'uniform' ? uniformWords(draft, config) : binWords(draft, config)];
  if (draft.binRank !== null && draft.binRank > draft.cap) parts.push(`at most ${draft.cap} fits the matrix`);
  if (draft.rank < draft.unbudgeted) parts.push(`the budget lowered ${draft.unbudgeted} to ${draft.rank}`);
  return parts.join('; ');
}

/** For the controls that give no adapters. */
export function withoutAdapterWords(override: number | null, action: ControlSettings['action']): string {
  if (action === 'resetOnly') return 'control resetOnly: no adapter, nothing freezes';
  return override === 0 ? 'control freezeOnly: set by hand to stay trainable' : 'control freezeOnly: freezes without an adapter';
}

function uniformWords({ binRank }: RankDraft, { control }: WordsConfig): string {
  return control.uniformRank === 'matched'
    ? `uniform rank ${binRank}, matched to the size of the assigned plan`
    : `uniform rank ${binRank}`;
}

function binWords({ module, bin, binRank }: RankDraft, { prelora, control }: WordsConfig): string {
  if (!bin) return 'not measured';
  const pool = prelora.rankPool === 'overall' ? 'all targets' : `family ${placeOf(module).family}`;
  const change = `${prelora.rankMetric === 'grad' ? 'gradient change' : 'change'} ${plain(bin.change)}`;
  if (bin.tied) return `${change}: no different from the rest of ${pool}, smallest rank ${binRank}`;
  const range = bin.poolMin === null ? 'all infinite' : `${short(bin.poolMin)} to ${plain(bin.poolMax ?? 0)}`;
  const reversed = control.ranks === 'reversed' ? ', reversed' : '';
  return `${change} in ${pool} (${range}): position ${short(bin.position)}${reversed}, rank ${binRank}`;
}

function plain(percent: number): string {
  return Number.isFinite(percent) ? `${short(percent)} %` : 'infinite';
}

function short(value: number): number {
  return Number(value.toPrecision(3));
}

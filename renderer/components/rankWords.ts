/** "Why rank 32?" in numbers, from the engine's own reason (method.md section 8). */
import type { RankReason } from '../../main/protocol/records.ts';
import { formatChange, formatLoss, unbroken } from '../format.ts';

/** The part of a reason that only repeats the figures: "change 0.39 % in family q (0.31 to 0.61 %): position 0.29, rank 8". */
const FIGURES = /^change \S+ % in (family \w+|all targets) \([^)]*\): position [^,;]+, rank \d+(?:; )?/;

/** With the module's name in front. */
export function rankSentence(reason: RankReason): string {
  return `${reason.module}; ${rankWords(reason)}`;
}

export function rankWords({ rank, alpha, change, from, to, poolMin, poolMax, position, binRank, reason }: RankReason): string {
  const parts: string[] = [];
  const pool = FIGURES.exec(reason)?.[1] ?? 'pool';
  const more = reason.replace(FIGURES, '');
  if (from !== null && to !== null) parts.push(`norm ${formatLoss(from)} → ${formatLoss(to)}, change ${formatChange(change)}`);
  if (poolMin !== null && poolMax !== null) parts.push(`${pool} ${formatChange(poolMin)} … ${formatChange(poolMax)}`);
  if (position !== null) parts.push(`position ${position.toFixed(2)}`);
  if (binRank !== null && binRank !== rank) parts.push(`bin ${binRank}`);
  parts.push(rank === 0 ? 'no adapter' : `rank ${rank}, α ${alpha}`);
  return unbroken(`${parts.join('; ')}${more ? ` – ${more}` : ''}`);
}

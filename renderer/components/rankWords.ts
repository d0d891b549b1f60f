/** "Why rank 32?" in numbers, from the engine's own reason (method.md section 8). */
import type { RankReason } from '../../main/protocol/records.ts';
import { formatChange, formatLoss } from '../format.ts';

export function rankSentence({ module, rank, alpha, change, from, to, poolMin, poolMax, position, binRank, reason }: RankReason): string {
  const parts = [module];
  if (from !== null && to !== null) parts.push(`norm ${formatLoss(from)} → ${formatLoss(to)}, change ${formatChange(change)}`);
  if (poolMin !== null && poolMax !== null) parts.push(`pool ${formatChange(poolMin)} … ${formatChange(poolMax)}`);
  if (position !== null) parts.push(`position ${position.toFixed(2)}`);
  if (binRank !== null && binRank !== rank) parts.push(`bin ${binRank}`);
  parts.push(rank === 0 ? 'no adapter' : `rank ${rank}, α ${alpha}`);
  return `${parts.join('; ')}${reason ? ` – ${reason}` : ''}`;
}

/** Whether a switch is proposed and nobody has decided yet, read off the journal: so a page that comes later knows it as well. */
import type { EventRecord } from '../../main/protocol/records.ts';

export interface Proposal {
  step: number;
  /** When it happens unless it is turned down; null when it waits for the user. */
  dueStep: number | null;
}

const CLOSED_BY: ReadonlySet<string> = new Set([
  'switch-vetoed',
  'switch-deferred',
  'switch-triggered',
  'switched',
  'optimizer-reset',
  'switch-too-late',
  'undone',
  'finished',
]);

/** As in core/phase.ts `afterEdit`: a planned switch needs Auto, and one that waits for the user a window that is still whole. */
function closesProposal({ kind, detail }: EventRecord, { dueStep }: Proposal): boolean {
  if (kind !== 'edited') return CLOSED_BY.has(kind);
  if (detail.field === 'prelora.switching') return detail.to === 'off' || (detail.to === 'manual' && dueStep !== null);
  return dueStep === null && (detail.field === 'prelora.snapshotEvery' || detail.field === 'prelora.normMetric');
}

/** The newest proposal of a journal, if it is still open. */
export function openProposal(events: readonly EventRecord[]): Proposal | null {
  return proposalAfter(events, null);
}

/** What stands after more of the journal, event by event, as one frame can hold an answer and the next proposal. */
export function proposalAfter(events: readonly EventRecord[], before: Proposal | null): Proposal | null {
  return events.reduce((open, event) => proposalOf(event) ?? (open && closesProposal(event, open) ? null : open), before);
}

/** Manual switching is `ready` at once; a planned switch can be turned down while its grace time runs. */
function proposalOf({ kind, step, detail }: EventRecord): Proposal | null {
  if (kind === 'ready') return { step, dueStep: null };
  if (kind !== 'switch-planned' || typeof detail.dueStep !== 'number' || detail.dueStep <= step) return null;
  return { step, dueStep: detail.dueStep };
}

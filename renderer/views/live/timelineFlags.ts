/** The journal's marked events as flags below the timeline: crowded ones become one, which counts them and tells of the first few. */
import type { EventRecord } from '../../../main/protocol/records.ts';
import { mergeMarkers } from '../../charts/flags.ts';
import { formatCount } from '../../format.ts';
import { eventWords, markerLetter } from '../../journal.ts';

/** Nearer flags would lie on each other, percent of the run. */
const CROWDED_PERCENT = 2;
/** Events that one flag tells of; the journal has them all. */
const TOLD = 6;

export interface TimelineFlag {
  step: number;
  /** Its letter, or how many events it stands for. */
  text: string;
  words: string;
}

/** By step, whatever order they were written in: an undo goes back. */
export function timelineFlags(events: readonly EventRecord[], totalSteps: number): TimelineFlag[] {
  const markers = events.flatMap((event, index) => {
    const letter = markerLetter(event.kind);
    return letter === null ? [] : [{ x: event.step, step: event.step, letter, label: '', index }];
  });
  const percent = (step: number): number => (100 * step) / totalSteps;
  return mergeMarkers(markers, percent, CROWDED_PERCENT).map(({ text, markers: merged }) => {
    const told = merged.slice(0, TOLD).map(({ index }) => toldOf(events[index] as EventRecord));
    const more = merged.length - told.length;
    return { step: merged[0]?.step ?? 0, text, words: [...told, ...(more > 0 ? [`and ${formatCount(more)} more`] : [])].join('\n') };
  });
}

function toldOf(event: EventRecord): string {
  return `step ${formatCount(event.step)}: ${eventWords(event)}`;
}

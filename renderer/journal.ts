/** Events of the journal in words, and the letter each wears on the charts (product.md section 5). Unknown kinds keep their name. */
import type { EventRecord } from '../main/protocol/records.ts';
import { backendName } from './backends.ts';
import { formatBytes, formatChange, formatCount, formatDuration, unbroken } from './format.ts';

const LETTERS: Record<string, string> = {
  switched: 'S',
  'optimizer-reset': 'S',
  frozen: 'F',
  edited: 'E',
  paused: 'P',
  crash: 'C',
  interrupted: 'C',
  diverged: 'C',
  undone: 'U',
  note: 'N',
  slept: 'Z',
};

/** The flag of an event on a chart; null for kinds that are only listed. */
export function markerLetter(kind: string): string | null {
  return LETTERS[kind] ?? null;
}

const FIELD_NAMES: Record<string, string> = {
  'prelora.tau': 'τ',
  'prelora.zeta': 'ζ',
  'prelora.windowSize': 'window',
  'prelora.switching': 'switching',
  'prelora.jointSteps': 'joint steps',
  'train.lr': 'learning rate',
  'train.epochs': 'epochs',
};

function fieldName(path: string): string {
  return FIELD_NAMES[path] ?? path;
}

/** One line about an event: what happened, with its numbers, none of which a line break takes its unit from. */
export function eventWords(event: EventRecord): string {
  return unbroken(words(event));
}

function words({ kind, detail }: EventRecord): string {
  const text = detail.words ?? detail.message ?? (kind === 'switched' ? undefined : detail.reason);
  const said = typeof text === 'string' && text !== '' ? text : null;
  const write = WORDS[kind];
  if (write) return write(detail, said);
  return said === null ? kind : `${kind}: ${said}`;
}

type Detail = EventRecord['detail'];
type Writer = (detail: Detail, said: string | null) => string;

const WORDS: Record<string, Writer> = {
  created: () => 'Created',
  'start-weights': (detail) => startWords(detail),
  started: (detail) => `Started${typeof detail.backend === 'string' ? ` on ${backendName(detail.backend)}` : ''}`,
  'switch-planned': (_, said) => `The test passed${after(said)}`,
  'switch-triggered': () => 'Switch asked for',
  'switch-vetoed': () => 'Proposal dropped; the window starts anew',
  'switch-deferred': (detail) => `Switch deferred${deferralWords(detail)}`,
  'switch-too-late': (_, said) => `Passed too late: not enough steps left to switch${after(said)}`,
  'deferral-ended': () => 'The deferral ended; the test switches again',
  ready: (_, said) => `The test passed; waiting for you${after(said)}`,
  switched: (detail, said) => `Switch: adapters attached${count(detail.adapterParameters, ' parameters')}${after(said)}`,
  'freeze-requested': () => 'Freeze asked for',
  frozen: () => 'Freeze: the adapted base weights stop training',
  'optimizer-reset': () => 'Optimizer reset, no adapters (control)',
  edited: (detail) => changeWords(detail),
  paused: (_, said) => `Paused${after(said)}`,
  resumed: (_, said) => `Resumed${after(said)}`,
  undone: (detail) => `Switch undone${typeof detail.to === 'number' ? `, back to step ${formatCount(detail.to)}` : ''}`,
  crash: (_, said) => `The trainer ended unexpectedly${after(said)}`,
  diverged: (detail) => `Paused: ${typeof detail.tensor === 'string' ? detail.tensor : 'a value'} was not finite`,
  segment: (_, said) => `Steps after this one were abandoned and are made again${after(said)}`,
  forked: () => 'Forked from another run',
  checkpoint: () => 'Checkpoint written',
  'latest-end': (detail) => `Ended: another epoch would not fit before ${detail.latestEnd}`,
  'early-stop': (detail) => `Stopped early: no better top-1 in ${detail.patience} evaluations`,
  slept: ({ seconds }) => `The machine slept ${formatDuration(Number(seconds))}`,
  'disk-low': ({ freeBytes }) =>
    `The disk fills up${typeof freeBytes === 'number' ? `: ${formatBytes(freeBytes)} free, another two checkpoints do not fit` : ''}`,
  'images-replaced': (detail) => `Unreadable images replaced${Array.isArray(detail.replaced) ? ` (${detail.replaced.length})` : ''}`,
  'tensorboard-stopped': ({ message }) => `No more event files for TensorBoard: ${message}`,
  interrupted: (_, said) => `Stopped and kept${after(said)}`,
  finished: (_, said) => `Finished${after(said)}`,
  failed: (_, said) => `Failed${after(said)}`,
  note: (detail) => `Note: ${String(detail.text ?? '')}`,
};

function startWords({ from, notes }: Detail): string {
  const said = Array.isArray(notes) ? notes.map((note) => `; ${note}`).join('') : '';
  return `Starts from the weights of ${from}${said}`;
}

function deferralWords(detail: Detail): string {
  if (detail.kind === 'tests') return ` for ${detail.remaining} tests`;
  if (detail.kind === 'step') return ` until step ${formatCount(Number(detail.step))}`;
  return detail.kind === 'everyModule' ? ' until every module is below τ' : '';
}

function after(said: string | null): string {
  // The engine's verdict begins with the word that is already there.
  return said === null ? '' : ` – ${said.replace(/^passed: /, '')}`;
}

function count(value: unknown, words: string): string {
  return typeof value === 'number' ? ` (${formatCount(value)}${words})` : '';
}

/** `τ 1.00 % → 0.80 %`. */
function changeWords({ field, from, to }: Detail): string {
  return typeof field === 'string' ? oneChange(field, from, to) : 'Settings edited';
}

function oneChange(path: string, from: unknown, to: unknown): string {
  return `${fieldName(path)} ${valueWords(path, from)} → ${valueWords(path, to)}`;
}

function valueWords(path: string, value: unknown): string {
  if (typeof value === 'number' && (path === 'prelora.tau' || path === 'prelora.zeta')) return formatChange(value);
  return value === undefined || value === null ? '–' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * What each record of a run is for TensorBoard: its tags and values (formats.md section 10). Units are the records' own: shares are fractions,
 * changes are percent. A value that was not measured is left out.
 */
import { convergenceSettings, snapshotComparer } from '../core/convergence.ts';
import type { SnapshotComparison } from '../core/convergenceReport.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../protocol/records.ts';
import { toJson } from '../store/json.ts';
import type { SummaryValue } from './eventRecords.ts';

const JOURNAL_TAG = 'events';

export function metricsValues(record: MetricsRecord): SummaryValue[] {
  return scalars({
    'train/loss': record.loss,
    lr: record.lr,
    'throughput/images_per_s': record.imagesPerSecond,
    'memory/rss_bytes': record.memoryBytes,
    'memory/device_bytes': record.gpuMemoryBytes,
  });
}

export function epochValues({ trainTop1, valLoss, valTop1, valTop5 }: EpochRecord): SummaryValue[] {
  return scalars({ 'train/top1': trainTop1, 'eval/loss': valLoss, 'eval/top1': valTop1, 'eval/top5': valTop5 });
}

export function rankValues({ modules }: RanksFile): SummaryValue[] {
  return modules.map(({ module, rank }) => ({ tag: `lora/rank/${module}`, scalar: rank }));
}

/** What records say together with the ones before them. Records are given in the order of their steps. */
export class RunningValues {
  #snapshot: SnapshotRecord | null = null;
  /** Of the newest step that has any. */
  #entries: EventRecord[] = [];
  readonly #config: () => ChangeSettings;

  /** `config` is asked at every snapshot: settings may be edited while a run trains. */
  constructor(config: () => ChangeSettings) {
    this.#config = config;
  }

  /** Norms, and the change of each tested family since the snapshot before. */
  snapshot(record: SnapshotRecord): SummaryValue[] {
    const before = this.#snapshot;
    this.#snapshot = record;
    const norms = Object.entries(record.modules).map(([module, { weightNorm }]) => [`prelora/norm/${module}`, weightNorm]);
    const families = before ? compareFamilies(before, record, this.#config()).families : [];
    const changes = families.map(({ family, mean }) => [`prelora/change/${family}`, mean]);
    return scalars(Object.fromEntries([...norms, ...changes]));
  }

  /** All entries of this one's step so far, as one text: of several texts at a step some readers keep the last alone. */
  journal(entry: EventRecord): SummaryValue[] {
    if (this.#entries[0]?.step !== entry.step) this.#entries = [];
    this.#entries.push(entry);
    return [{ tag: JOURNAL_TAG, text: this.#entries.map(journalText).join('\n\n') }];
  }
}

/** The part of a config that says how changes are measured. */
export type ChangeSettings = Pick<ResolvedConfig, 'prelora' | 'control' | 'model'>;

/** Up to the switch the changes are the ones that the test sees; after it, when nothing is tested any more, plain means over layers. */
function compareFamilies(from: SnapshotRecord, to: SnapshotRecord, { prelora, control, model }: ChangeSettings): SnapshotComparison {
  const tested = convergenceSettings(prelora, control, model.depth);
  return snapshotComparer(to.phase === 'full' ? tested : { ...tested, layerWeighting: 'uniform' })(from, to);
}

/** A line of Markdown. The detail is JSON in a code span, which a backtick would end. */
function journalText({ kind, by, time, detail }: EventRecord): string {
  const said = Object.keys(detail).length > 0 ? ` \`${toJson(detail).replaceAll('`', '\\u0060')}\`` : '';
  return `**${kind}** (${by}, ${time})${said}`;
}

function scalars(values: Record<string, number | null | undefined>): SummaryValue[] {
  return Object.entries(values).flatMap(([tag, scalar]) => (scalar === null || scalar === undefined ? [] : [{ tag, scalar }]));
}

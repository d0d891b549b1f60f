/**
 * Numbers, durations and sizes as text: the table "Numbers" of product.md section 3, and the only place that formats. "–" stands
 * for a missing value; the unit is always part of the text, and no line ends between the two. Display follows the locale, copies
 * (`plain`) use a dot.
 */
const DASH = '–';
let locale: string | undefined;

/** Fixes the locale, for tests and screenshots; undefined follows the system. */
export function setLocale(name: string | undefined): void {
  locale = name;
  cache.clear();
}

type Value = number | null | undefined;

/** No line ends between a figure and its unit. */
function withUnit(figure: string | number, unit: string): string {
  return `${figure}\u00a0${unit}`;
}

const cache = new Map<string, Intl.NumberFormat>();

const DIGITS = {
  fixed: (digits: number) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits }),
  significant: (digits: number) => ({ minimumSignificantDigits: digits, maximumSignificantDigits: digits }),
};

function number(value: number, kind: keyof typeof DIGITS, digits: number): string {
  const key = kind + digits;
  let format = cache.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, DIGITS[kind](digits));
    cache.set(key, format);
  }
  return format.format(value).replace('-', '−');
}

function isMissing(value: Value): value is null | undefined {
  return value === null || value === undefined || Number.isNaN(value);
}

function fixed(value: number, digits: number): string {
  return number(value, 'fixed', digits);
}

function significant(value: number, digits: number): string {
  return number(value, 'significant', digits);
}

/** A whole number with grouping: `15,000`. */
export function formatCount(value: Value): string {
  return isMissing(value) ? DASH : fixed(Math.round(value), 0);
}

/** Losses and norms, 4 significant figures: `0.4123`. Infinity is said as such. */
export function formatLoss(value: Value): string {
  if (isMissing(value)) return DASH;
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e7)) return value.toExponential(3).replace('-', '−');
  return significant(value, 4);
}

/** An accuracy given as a fraction: `88.1 %`. */
export function formatAccuracy(value: Value): string {
  return isMissing(value) ? DASH : withUnit(fixed(value * 100, 1), '%');
}

/** A difference of two accuracies (fractions): `+0.3 points`. */
export function formatPoints(value: Value): string {
  if (isMissing(value)) return DASH;
  const points = value * 100;
  return withUnit(`${points >= 0 ? '+' : ''}${fixed(points, 1)}`, 'points');
}

/**
 * A percent change: `0.78 %`, never rounded across its threshold. With τ = 0.80, 0.7999 is shown as `0.7999 %`, because two
 * decimals would show it as equal.
 */
export function formatChange(value: Value | 'inf', threshold?: number): string {
  if (value === 'inf' || value === Number.POSITIVE_INFINITY) return withUnit('∞', '%');
  if (isMissing(value)) return DASH;
  // A run that blew up: no threshold is near, and thirteen digits would break any table.
  if (Math.abs(value) >= 1e5) return withUnit(value.toExponential(1).replace('e+', 'e'), '%');
  for (let digits = changeDigits(value); digits < 10; digits++) {
    if (threshold === undefined || keepsSide(value, threshold, digits)) return withUnit(fixed(value, digits), '%');
  }
  return withUnit(value, '%');
}

/** Two, none from a thousand on, and below 0.1 as many as two figures need: after the switch changes are small, and 0.00 would tell nothing. */
function changeDigits(value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude >= 1000) return 0;
  return magnitude === 0 || magnitude >= 0.0995 ? 2 : Math.min(5, 1 - Math.floor(Math.log10(magnitude)));
}

function keepsSide(value: number, threshold: number, digits: number): boolean {
  if (value === threshold) return true;
  return Math.sign(Number(value.toFixed(digits)) - threshold) === Math.sign(value - threshold);
}

/** A percentage given as percent: `11.4 %`. */
export function formatPercent(value: Value, digits = 1): string {
  return isMissing(value) ? DASH : withUnit(fixed(value, digits), '%');
}

/** Learning rate: `3.0e-4`. */
export function formatLr(value: Value): string {
  if (isMissing(value)) return DASH;
  return value === 0 ? '0' : value.toExponential(1).replace('e+', 'e');
}

/** A figure near zero, such as a rounding error: `3.1e-6`. */
export function formatSmall(value: Value): string {
  if (isMissing(value)) return DASH;
  return value === 0 ? '0' : value.toExponential(1);
}

/** Bytes in binary units: `2.31 GiB`, `840 MiB`, `12 KiB`. */
export function formatBytes(value: Value, like: Value = value): string {
  if (isMissing(value)) return DASH;
  const magnitude = Math.abs(like ?? value);
  if (magnitude >= 100 * 2 ** 30) return withUnit(fixed(value / 2 ** 30, 0), 'GiB');
  if (magnitude >= 2 ** 30) return withUnit(fixed(value / 2 ** 30, 2), 'GiB');
  if (magnitude >= 2 ** 20) return withUnit(fixed(value / 2 ** 20, 0), 'MiB');
  if (magnitude >= 2 ** 10) return withUnit(fixed(value / 2 ** 10, 0), 'KiB');
  return withUnit(fixed(value, 0), 'B');
}

/** Throughput: `1,240 img/s`; below 100 with one decimal. */
export function formatRate(value: Value, like: Value = value): string {
  return isMissing(value) ? DASH : withUnit(fixed(value, (like ?? value) < 100 ? 1 : 0), 'img/s');
}

/** Time of a step: `413 ms`; below 10 with one decimal. */
export function formatMs(value: Value): string {
  return isMissing(value) ? DASH : withUnit(fixed(value, value < 10 ? 1 : 0), 'ms');
}

/** Parameter counts: `5.36 M`, `794 k`, `120`. */
export function formatParameters(value: Value): string {
  if (isMissing(value)) return DASH;
  if (value >= 1e9) return withUnit(fixed(value / 1e9, 2), 'G');
  if (value >= 1e6) return withUnit(fixed(value / 1e6, 2), 'M');
  if (value >= 1e4) return withUnit(fixed(value / 1e3, 0), 'k');
  return formatCount(value);
}

/** Multiply-adds, three figures: `1.09 G`, `857 M`. */
export function formatOperations(value: Value): string {
  if (isMissing(value)) return DASH;
  const [size, name] = value >= 1e9 ? [1e9, 'G'] : [1e6, 'M'];
  return withUnit(significant(value / size, 3), name);
}

const UNITS: readonly [name: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
];

/** A duration in seconds, two units at most: `45 s`, `12 min`, `1 h 40 min`, `2 d 3 h`; beside another one, in the smaller unit of that. */
export function formatDuration(seconds: Value, like: Value = seconds): string {
  if (isMissing(seconds) || !Number.isFinite(seconds)) return DASH;
  const total = Math.max(0, Math.round(seconds));
  const size = Math.max(0, Math.round(like ?? seconds));
  if (size < 60) return withUnit(total, 's');
  if (size < 3600) return withUnit(Math.round(total / 60), 'min');
  const index = UNITS.findIndex(([, unit]) => size >= unit);
  const [minorName, minorSize] = UNITS[index + 1] as [string, number];
  return like === seconds ? inTwoUnits(total, index) : withUnit(Math.round(total / minorSize), minorName);
}

function inTwoUnits(total: number, index: number): string {
  const [name, size] = UNITS[index] as [string, number];
  const [minorName, minorSize] = UNITS[index + 1] as [string, number];
  let major = Math.floor(total / size);
  let minor = Math.round((total - major * size) / minorSize);
  if (minor * minorSize >= size) {
    major += 1;
    minor = 0;
  }
  return minor === 0 ? withUnit(major, name) : `${withUnit(major, name)} ${withUnit(minor, minorName)}`;
}

/** How long ago an ISO time was: `22 min ago`. */
export function formatAgo(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds)) return DASH;
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${withUnit(Math.floor(seconds / 60), 'min')} ago`;
  if (seconds < 86_400) return `${withUnit(Math.floor(seconds / 3600), 'h')} ago`;
  return `${withUnit(Math.floor(seconds / 86_400), 'd')} ago`;
}

/** How long it is until an ISO time, rounded up: `in 27 d`; `soon` when it is over. */
export function formatIn(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  if (Number.isNaN(seconds)) return DASH;
  if (seconds <= 0) return 'soon';
  if (seconds <= 3600) return `in ${withUnit(Math.ceil(seconds / 60), 'min')}`;
  return seconds <= 86_400 ? `in ${withUnit(Math.ceil(seconds / 3600), 'h')}` : `in ${withUnit(Math.ceil(seconds / 86_400), 'd')}`;
}

/** Clock time of a moment: `23:10`. */
export function formatClock(time: Date): string {
  return time.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
}

/** How a figure is written; `like` is the value whose unit and decimals it takes, itself where none is given. */
export type FigureFormat = (value: number, like?: number) => string;

/** Mean ± spread with its n, both in the unit and the decimals of the mean: `88.4 ± 0.2 % (n = 3)`. A single run has no spread. */
export function formatSpread({ mean, std, n }: { mean: number; std: number | null; n: number }, format: FigureFormat): string {
  if (std === null) return `${format(mean)} (n\u00a0=\u00a0${n})`;
  const spread = format(std, mean);
  const unit = /\s[^\d\s]+$/.exec(format(mean))?.[0] ?? '';
  const isShared = unit !== '' && spread.endsWith(unit);
  const figure = isShared ? format(mean).slice(0, -unit.length) : format(mean);
  return `${figure}\u00a0±\u00a0${spread} (n\u00a0=\u00a0${n})`;
}

/** The figure alone, for a place that names the unit itself: the head of a column, or a second figure beside it. */
export function withoutUnit(text: string): string {
  return text.replace(/\u00a0\S+$/, '');
}

/** An accuracy (fraction) with half its interval: `88.1 ± 0.6 %`; one decimal more where the interval would show as none. */
export function formatInterval(value: number, halfWidth: number): string {
  const digits = halfWidth * 100 < 0.05 ? 2 : 1;
  return withUnit(`${fixed(value * 100, digits)}\u00a0±\u00a0${fixed(halfWidth * 100, digits)}`, '%');
}

const UNIT = '(?:%|points?|[GMK]iB|B|img/s|ms|[GMk]|s|min|h|d|steps?|epochs?|tests?|snapshots?|parameters?)';
/** Spaces after a figure that has a unit, before the figure of τ, ζ, α, step, epoch and rank, and after a comparison. */
const BOUND = new RegExp(`(?<=\\d) (?=${UNIT}(?![\\p{L}\\d]))|(?<=[τζα<>≤≥≈]|\\b(?:step|epoch|rank)) (?=\\d)|(?<=[<>≤≥]) (?=[τζ])`, 'gu');

/** A sentence that was written elsewhere, or put together of figures and words: figure and unit, name and figure stay on one line. */
export function unbroken(text: string): string {
  return text.replace(BOUND, '\u00a0');
}

/** A plain decimal for copies and files: a dot, no grouping, full precision. */
export function plain(value: Value): string {
  return isMissing(value) ? '' : String(value);
}

/** Things by number, with a word whose plural ends in s: `1 run`, `1,200 runs`. */
export function formatCounted(count: number, word: string): string {
  return withUnit(formatCount(count), count === 1 ? word : `${word}s`);
}

/** A ratio of two figures: `1.26×`. */
export function formatRatio(value: Value): string {
  return isMissing(value) || !Number.isFinite(value) ? DASH : `${fixed(value, 2)}×`;
}

/** Keeps both ends of a long name: `a-very-long…-name`. The whole name belongs on the title. */
export function middleEllipsis(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}

/** A duration field of the config, steps or text such as "2ep": `400 steps`, `1 epoch`. */
export function formatSteps(duration: number | string | null | undefined): string {
  if (duration === null || duration === undefined) return DASH;
  if (typeof duration === 'number') return formatCounted(duration, 'step');
  const epochs = Number.parseFloat(duration);
  return epochs === 1 ? withUnit(1, 'epoch') : withUnit(epochs, 'epochs');
}

/** How often something comes: `every 250 steps`, `every epoch`. */
export function formatEvery(duration: number | string | null | undefined): string {
  return `every ${formatSteps(duration).replace(/^1\u00a0/, '')}`;
}

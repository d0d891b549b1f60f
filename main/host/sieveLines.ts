/**
 * Thins lines of metrics before they are parsed: parsing a million of them takes two seconds by itself, finding the loss in each a third of
 * that. What is kept is parsed and thinned again for the page (thinMetrics.ts), so that the sieve may be coarse in what it lets through.
 */

/** Lines that pass of a longer run: five times as many as a page gets. */
const PASS_AT_MOST = 100_000;
const LOSS = '"loss":';
const SEGMENT = '"segment":';

/** How many neighbouring lines become two; 1 lets all pass. `count` lines are to come, about. */
export function stretchFor(count: number, most = PASS_AT_MOST): number {
  return count <= most ? 1 : Math.ceil((2 * count) / most);
}

interface Line {
  start: number;
  end: number;
  loss: number;
}

/**
 * Of every `stretch` lines of one segment those with the smallest and the largest loss, and every line whose loss is no finite number or
 * that does not look like a whole record: whoever parses it will say what it is. `text` is whole lines, each with its end.
 */
export function sieveLines(text: string, stretch: number): string {
  if (stretch <= 2) return text;
  const kept: string[] = [];
  let open: Line[] = [];
  let count = 0;
  let segment = '';
  const close = (): void => {
    for (const { start, end } of extremes(open)) kept.push(text.slice(start, end));
    open = [];
    count = 0;
  };
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline + 1;
    const at = text.indexOf(SEGMENT, start);
    const isOther = at < 0 || at >= end || segment === '' || !text.startsWith(segment, at);
    if (count >= stretch || isOther) close();
    if (isOther) segment = at < 0 || at >= end ? '' : text.slice(at, endOfValue(text, at));
    open.push({ start, end, loss: lossIn(text, start, end) });
    count++;
    start = end;
  }
  close();
  return kept.join('');
}

/** NaN where it is not a finite number, or where the line does not begin and end as a record does. */
function lossIn(text: string, start: number, end: number): number {
  if (!text.startsWith('{"step":', start) || !text.startsWith('}\n', end - 2)) return Number.NaN;
  const at = text.indexOf(LOSS, start);
  if (at < 0 || at >= end) return Number.NaN;
  const value = text.slice(at + LOSS.length, endOfValue(text, at) - 1);
  return value === 'null' ? Number.NaN : Number(value);
}

/** Past the comma after a value that begins at `at`. */
function endOfValue(text: string, at: number): number {
  const comma = text.indexOf(',', at);
  return comma < 0 ? text.length : comma + 1;
}

function extremes(lines: readonly Line[]): readonly Line[] {
  if (lines.length <= 2) return lines;
  let low: Line | null = null;
  let high: Line | null = null;
  for (const line of lines) {
    if (Number.isNaN(line.loss)) continue;
    if (low === null || line.loss < low.loss) low = line;
    if (high === null || line.loss >= high.loss) high = line;
  }
  return lines.filter((line) => line === low || line === high || Number.isNaN(line.loss));
}

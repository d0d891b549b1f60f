/** What a command may touch of the outside, so that tests can hand in their own. Results go to stdout, everything else to stderr. */

export interface CommandIo {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  /** Aborted by SIGINT and SIGTERM. */
  signal: AbortSignal;
}

/** One JSON object on stdout. Numbers that JSON cannot hold are written as the strings "NaN", "Infinity", "-Infinity". */
export function printJson(io: CommandIo, value: unknown): void {
  const replacer = (_key: string, item: unknown): unknown => (typeof item === 'number' && !Number.isFinite(item) ? String(item) : item);
  io.stdout.write(`${JSON.stringify(value, replacer)}\n`);
}

/** Rows as columns, numbers to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const isNumeric = header.map((_, column) => rows.every((row) => /^[-–+\d.,\s%]*(img\/s|ms|MiB|GiB)?$/.test(row[column] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number)))
      .join('  ');
  return [header, ...rows].map((row) => line(row).trimEnd()).join('\n');
}

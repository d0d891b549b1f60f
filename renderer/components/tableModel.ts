/** What a table view shows: formatted text, and the plain number that a copy carries. */
export interface TableCell {
  text: string;
  copy: string;
}

export interface TableModel {
  columns: string[];
  /** What the figures are in, where the columns leave it out. */
  note?: string;
  /** Rows are made when they are asked for: of 20,000 a few hundred are shown. */
  count: number;
  row: (index: number) => TableCell[];
}

/** All rows as text, dots for decimals; cells that hold the separator are quoted. */
export function separated({ columns, count, row }: TableModel, separator: ',' | '\t'): string {
  const quoted = (cell: string): string => (/[",\n\t]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const rows = Array.from({ length: count }, (_, i) => row(i).map(({ copy }) => copy));
  return [columns, ...rows].map((cells) => `${cells.map(quoted).join(separator)}\n`).join('');
}

/** What a table view shows: formatted text, and the plain number that a copy carries. */
export interface TableCell {
  text: string;
  copy: string;
}

export interface TableModel {
  columns: string[];
  rows: TableCell[][];
}

/** All rows as text, dots for decimals; cells that hold the separator are quoted. */
export function separated({ columns, rows }: TableModel, separator: ',' | '\t'): string {
  const quoted = (cell: string): string => (/[",\n\t]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return [columns, ...rows.map((row) => row.map(({ copy }) => copy))].map((row) => `${row.map(quoted).join(separator)}\n`).join('');
}

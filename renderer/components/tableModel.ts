/** What a table view shows: formatted text, and the plain number that a copy carries. */
export interface TableCell {
  text: string;
  copy: string;
}

export interface TableModel {
  columns: string[];
  rows: TableCell[][];
}

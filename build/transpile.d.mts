export const root: string;
export function transpile(): Promise<void>;
export function sourcesBelow(folder: string): string[];

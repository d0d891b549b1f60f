export const root: string;
export function transpile(): Promise<void>;

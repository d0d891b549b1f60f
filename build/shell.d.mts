export function buildShell(): Promise<void>;

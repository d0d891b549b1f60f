export function buildPage(): Promise<void>;
export function buildAnew(): Promise<void>;

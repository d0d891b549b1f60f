export function findElectron(options?: { env?: Record<string, string | undefined>; say?: (message: string) => void }): {
  binary?: string;
  why?: string;
};

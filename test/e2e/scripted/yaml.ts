/** Enough YAML for a config: two levels, JSON values. The real host uses the yaml package. */

export function toYaml(config: unknown): string {
  return Object.entries(config as object)
    .map(([key, value]) =>
      value !== null && typeof value === 'object'
        ? `${key}:\n${Object.entries(value)
            .map(([name, inner]) => `  ${name}: ${JSON.stringify(inner)}`)
            .join('\n')}`
        : `${key}: ${JSON.stringify(value)}`,
    )
    .join('\n');
}

export function fromYaml(text: string): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  let section: Record<string, unknown> = root;
  for (const line of text.split('\n')) {
    const match = /^(\s*)([\w.]+):\s*(.*)$/.exec(line);
    if (!match) continue;
    const [, indent, key, value] = match as unknown as [string, string, string, string];
    if (indent === '') section = root;
    if (value === '') {
      section = {};
      root[key] = section;
    } else {
      try {
        section[key] = JSON.parse(value);
      } catch {
        section[key] = value;
      }
    }
  }
  return root;
}

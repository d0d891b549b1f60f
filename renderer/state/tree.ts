/** A config as a plain tree, read and written by dotted paths such as `train.lr`. Nothing here changes what it is given. */
export type Tree = Record<string, unknown>;

/** The value at a dotted path of a config; undefined where there is none. */
export function valueAt(root: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) => (value === null || typeof value !== 'object' ? undefined : (value as Record<string, unknown>)[key]),
      root,
    );
}

function isTree(value: unknown): value is Tree {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** `over` on top of `under`, section by section; maps such as rank overrides are replaced as a whole. */
export function merge(under: Tree, over: Tree): Tree {
  const result: Tree = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = under[key];
    result[key] = isTree(value) && isTree(below) && Object.keys(below).length > 0 ? { ...below, ...value } : value;
  }
  return result;
}

/** The tree with one dotted path replaced. */
export function withValue(root: Tree, path: string, value: unknown): Tree {
  const [key, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) return { ...root, [key]: value };
  const child = root[key];
  return { ...root, [key]: withValue(isTree(child) ? child : {}, rest.join('.'), value) };
}

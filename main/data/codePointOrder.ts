/**
 * Order of names: by code point, as Python and every tool that sorts bytes of UTF-8 do, so that class numbers agree with theirs
 * (formats.md, conventions). JavaScript's `<` compares UTF-16 units and puts U+1F600 before U+FF21.
 */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others, so they go behind U+E000 … U+FFFF. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

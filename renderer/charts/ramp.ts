/**
 * Colours between two tokens, mixed in OKLab (Björn Ottosson 2020, https://bottosson.github.io/posts/oklab/), so that equal steps
 * look equal; and the text colour that reads on them (WCAG 2.2 contrast).
 */
type Triple = [number, number, number];

export function parseHex(hex: string): Triple {
  const value = Number.parseInt(hex.trim().slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

const toLinear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const toGamma = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

/** sRGB bytes to OKLab. */
export function toOklab([r, g, b]: Triple): Triple {
  const [R, G, B] = [toLinear(r / 255), toLinear(g / 255), toLinear(b / 255)];
  const l = Math.cbrt(0.4122214708 * R + 0.5363325363 * G + 0.0514459929 * B);
  const m = Math.cbrt(0.2119034982 * R + 0.6806995451 * G + 0.1073969566 * B);
  const s = Math.cbrt(0.0883024619 * R + 0.2817188376 * G + 0.6299787005 * B);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([L, a, b]: Triple): Triple {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear: Triple = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((c) => Math.round(255 * toGamma(Math.min(1, Math.max(0, c))))) as Triple;
}

/** The colour at `t` in 0…1 between two hex colours. */
export function mix(from: string, to: string, t: number): string {
  const a = toOklab(parseHex(from));
  const b = toOklab(parseHex(to));
  const at = (i: 0 | 1 | 2): number => a[i] + (b[i] - a[i]) * Math.min(1, Math.max(0, t));
  return `#${fromOklab([at(0), at(1), at(2)])
    .map((c) => c.toString(16).padStart(2, '0'))
    .join('')}`;
}

/** `count` colours from one end to the other. */
export function ramp(from: string, to: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => mix(from, to, count === 1 ? 1 : i / (count - 1)));
}

/** Relative luminance, 0…1. */
function luminance(hex: string): number {
  const [r, g, b] = parseHex(hex);
  return 0.2126 * toLinear(r / 255) + 0.7152 * toLinear(g / 255) + 0.0722 * toLinear(b / 255);
}

/** WCAG contrast ratio, 1…21. */
export function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const onColours = new Map<string, '#000000' | '#ffffff'>();

/** Black or white, whichever reads better on the colour. Kept per colour: a map asks once per cell, and colours are few. */
export function textOn(background: string): '#000000' | '#ffffff' {
  let text = onColours.get(background);
  if (text === undefined) {
    text = contrast(background, '#000000') >= contrast(background, '#ffffff') ? '#000000' : '#ffffff';
    onColours.set(background, text);
  }
  return text;
}

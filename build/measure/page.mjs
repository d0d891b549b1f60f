#!/usr/bin/env node
/**
 * `npm run measure:page [-- frames|runs|rows]`: how the built page bears size, in Chromium. `frames`: no frame over 50 ms on a large run
 * (P11); `runs`: filtering a table of 10,000 runs; `rows`: opening a run of a million lines of metrics. Each prints one line of JSON at its end.
 */
const MEASURES = ['frames', 'runs', 'rows'];

const [name = 'frames'] = process.argv.slice(2);
if (!MEASURES.includes(name)) throw new Error(`${name} is not measured; choose one of ${MEASURES.join(', ')}`);
await import(`./${name}.mjs`);

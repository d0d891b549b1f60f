/**
 * Switches zod's code generation off. Must be imported before any schema is built: under the page's CSP (no `unsafe-eval`)
 * building an object schema already probes `Function`, and the browser reports a violation.
 */
import { z } from 'zod';

z.config({ jitless: true });

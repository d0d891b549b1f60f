/**
 * JSON as formats.md wants it: non-finite numbers become the strings "NaN", "Infinity" and "-Infinity", which the schemas of
 * protocol/records.ts turn back into numbers. Plain `JSON.stringify` would write null and lose which it was.
 */

/** What a text says as JSON; undefined when it is none, which no JSON text says. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One line of JSON without a line end. `indent` spaces make it readable over several lines. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, member: unknown) => (isNonFinite(member) ? String(member) : member), indent);
}

function isNonFinite(value: unknown): value is number {
  return typeof value === 'number' && !Number.isFinite(value);
}

/** The part of a zod schema that readers need. */
export interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly SchemaIssue[] } };
}

interface SchemaIssue {
  path: readonly PropertyKey[];
  message: string;
}

/** The first complaint of a schema in one line: `modules.fc1: expected number`. */
export function firstIssue(issues: readonly SchemaIssue[]): string {
  const issue = issues[0];
  if (!issue) return 'does not fit its schema';
  return issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ${issue.message}` : issue.message;
}

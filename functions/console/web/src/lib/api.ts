// The API of the deployment that serves this page.

import { session } from "./session.svelte";

const PATIENCE_MS = 35_000;

export interface Fault {
  pointer: string;
  detail: string;
}

/** What the API answers an error with (RFC 9457), or what kept it from answering. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly faults: Fault[] = [],
    readonly request: string | null = null,
  ) {
    super(detail);
  }
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

export async function call<T>(method: Method, path: string, body?: unknown, key = session.key): Promise<T> {
  if (key === null) throw new Problem(401, "signed_out", "You have signed out.");
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    text = await response.text();
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const detail = late
      ? "There was no answer within 35 seconds. What was asked for may have been done all the same."
      : "The server can't be reached. Is it running, and is this device online?";
    throw new Problem(0, late ? "no_answer" : "unreachable", detail);
  }
  if (response.ok) return (text ? JSON.parse(text) : null) as T;
  const problem = told(response.status, text);
  if (problem.status === 401 && key === session.key) session.end("The key is not valid any more.");
  throw problem;
}

function told(status: number, text: string): Problem {
  try {
    const { code, detail, title, errors, instance } = JSON.parse(text);
    return new Problem(status, code ?? "unknown", detail ?? title ?? `HTTP ${status}`, errors ?? [], instance ?? null);
  } catch {
    return new Problem(status, "unknown", `The server answered with status ${status}.`);
  }
}

export const get = <T>(path: string) => call<T>("GET", path);
export const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, body);
export const patch = <T>(path: string, body: unknown) => call<T>("PATCH", path, body);
export const remove = (path: string) => call<null>("DELETE", path);

/** A path with a query of what is set. */
export function query(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const set = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** Posts until nothing is left, as each answer's `next` tells; the sum of what the answers count. */
export async function postThrough(path: string, counted: string, body: unknown = {}): Promise<number> {
  let sum = 0;
  let cursor: string | null = null;
  do {
    const answer: Record<string, unknown> = await post(query(path, { cursor }), body);
    sum += Number(answer[counted]);
    cursor = answer["next"] as string | null;
  } while (cursor);
  return sum;
}

/** All items of a list that people make by hand, so that it is short. */
export async function all<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await get(query(path, { limit: 100, cursor }));
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

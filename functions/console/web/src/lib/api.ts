// The API of the deployment that serves this page.

import { parse, write } from "./json";
import { isPlain } from "./paths";
import { session } from "./session.svelte";
import { isStub, type Stub } from "./types";

const TIMEOUT_MS = 35_000;

export interface Fault {
  pointer: string;
  detail: string;
}

/** Error of the API (RFC 9457), or the reason why there is no answer. */
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
  items: (T | Stub)[];
  next: string | null;
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

export async function call<T>(method: Method, path: string, body?: unknown, key = session.key): Promise<T> {
  const { content } = await request(method, path, body === undefined ? null : write(body), key);
  if (content.length === 0) return null as T;
  try {
    return parse(decode(content)) as T;
  } catch {
    throw new Problem(0, "unknown", "The answer is not from Switchboard. Is a proxy or a sign-in page in between?");
  }
}

/** Bytes of a stored body, with the content encoding that was removed. */
export async function raw(path: string): Promise<{ bytes: Uint8Array<ArrayBuffer>; encoding: string | null }> {
  const { headers, content } = await request("GET", path, null, session.key);
  return { bytes: content, encoding: headers.get("x-switchboard-encoding") };
}

interface Answer {
  headers: Headers;
  content: Uint8Array<ArrayBuffer>;
}

async function request(method: Method, path: string, body: string | null, key: string | null): Promise<Answer> {
  if (key === null) throw new Problem(401, "signed_out", "You have signed out.");
  if (!isPlain(path)) throw new Problem(0, "unknown", "This is not an address of the API.");
  let response: Response;
  let content: Uint8Array<ArrayBuffer>;
  try {
    response = await fetch(path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    content = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const detail = late
      ? "No answer within 35 seconds. The request may have been carried out."
      : "The server can't be reached. Is it running, and is this device online?";
    throw new Problem(0, late ? "no_answer" : "unreachable", detail);
  }
  if (response.ok) return { headers: response.headers, content };
  const problem = refused(response.status, decode(content));
  if (problem.status === 401 && key === session.key) session.end("The key is no longer valid.");
  throw problem;
}

const decode = (content: Uint8Array<ArrayBuffer>) => new TextDecoder().decode(content);

function refused(status: number, text: string): Problem {
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

/** A path with the query parameters that have a value. */
export function query(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const set = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** All items of a short list, such as hooks; without those that are too large to show. */
export async function all<T>(path: string, filters: Record<string, string> = {}): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await get(query(path, { ...filters, limit: 100, cursor }));
    items.push(...page.items.filter((item): item is T => !isStub(item)));
    cursor = page.next;
  } while (cursor);
  return items;
}

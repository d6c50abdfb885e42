// Bodies as platforms sent them, byte for byte.

import { raw } from "./api";
import { parse, write } from "./json";
import type { Json } from "./types";

const REVOKE_AFTER_MS = 60_000;

export interface Body {
  bytes: Uint8Array<ArrayBuffer>;
  /** Content encoding that was removed. */
  encoding: string | null;
  /** Null if the bytes are not text. */
  text: string | null;
  /** Undefined if the text is not JSON. */
  json: Json | undefined;
}

export async function load(path: string): Promise<Body> {
  const { bytes, encoding } = await raw(path);
  const text = decode(bytes);
  return { bytes, encoding, text, json: text === null ? undefined : json(text) };
}

function decode(bytes: Uint8Array<ArrayBuffer>): string | null {
  try {
    // A byte order mark stays, so that a copy has the received bytes.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

function json(text: string): Json | undefined {
  try {
    return parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}

/** Saves a body as a file of the browser's. */
export function download(name: string, { bytes, text, json }: Body) {
  const extension = text === null ? "bin" : json === undefined ? "txt" : "json";
  saveBytes(`${name}.${extension}`, bytes);
}

/** Saves JSON as a file of the browser's. */
export function save(name: string, value: Json) {
  saveBytes(name, `${write(value, 2)}\n`);
}

export function saveBytes(name: string, content: BlobPart) {
  const url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[/\\]/g, "-");
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}

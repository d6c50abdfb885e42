// Lists as CSV (RFC 4180). Cells that a spreadsheet would run as formulas are made texts.

import { all } from "./api";
import { saveBytes } from "./body";
import { write } from "./json";
import type { Json } from "./types";

/** Characters at which spreadsheets begin a formula: https://owasp.org/www-community/attacks/CSV_Injection */
const FORMULA = /^[=+\-@\t\r\n]/;
const NUMBER = /^[+-]?\d+([.,]\d+)?$/;

function cell(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : write(value);
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** Saves rows as a file. The columns are the names of all rows. */
export function saveCsv(name: string, rows: Record<string, Json>[]) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const lines = [columns.map(cell), ...rows.map((row) => columns.map((column) => cell(row[column])))];
  // The byte order mark makes spreadsheets read UTF-8.
  saveBytes(name, `\uFEFF${lines.map((line) => line.join(",")).join("\r\n")}\r\n`);
}

/** Loads a whole list and saves it. Returns the number of rows. */
export async function exportList<T>(name: string, path: string, row: (item: T) => Record<string, Json>): Promise<number> {
  const rows = (await all<T>(path)).map(row);
  saveCsv(name, rows);
  return rows.length;
}

// Commands for a POSIX shell.

/** A text as one argument: quoted, whatever it contains. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A POST with curl. The URL and the headers are shell arguments, already quoted. */
export function curl(url: string, headers: string[], body: string): string {
  return [`curl -sS ${url}`, ...headers.map((header) => `-H ${header}`), `--data-raw ${quote(body)}`].join(" \\\n  ");
}

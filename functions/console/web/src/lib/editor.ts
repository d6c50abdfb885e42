// The editor for CEL, loaded when the route builder is opened. It lives in a shadow root, where it styles itself through
// constructed style sheets: the page's Content-Security-Policy allows no style element.

import { autocompletion, completionKeymap, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, StreamLanguage, syntaxHighlighting, type StringStream } from "@codemirror/language";
import { linter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Path } from "./expressions.svelte";

export interface Options {
  value: string;
  change: (text: string) => void;
  focus: () => void;
  paths: () => Path[];
}

export interface Editor {
  set: (text: string) => void;
  insert: (text: string) => void;
  /** Shows the label and the faults. */
  describe: (label: string, faults: string[]) => void;
  destroy: () => void;
}

// https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
const WORDS = /^(true|false|null|in)\b/;
const FUNCTIONS = "has size contains startsWith endsWith matches string int uint double bool timestamp duration all exists map filter".split(" ");

function token(stream: StringStream): string | null {
  if (stream.eatSpace()) return null;
  if (stream.match("//")) {
    stream.skipToEnd();
    return "comment";
  }
  if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) return "string";
  if (stream.match(/^\d+(\.\d+)?([eE][+-]?\d+)?u?/)) return "number";
  if (stream.match(WORDS)) return "keyword";
  if (stream.match(/^[A-Za-z_]\w*(?=\s*\()/)) return "function";
  if (stream.match(/^[A-Za-z_]\w*/)) return "variableName";
  stream.next();
  return null;
}

const MAX_OPTIONS = 10;
const language = StreamLanguage.define({ name: "cel", token: (stream) => token(stream), tokenTable: { function: tags.keyword } });
const colours = HighlightStyle.define([
  { tag: tags.string, color: "var(--json-text)" },
  { tag: tags.number, color: "var(--json-number)" },
  { tag: tags.keyword, color: "var(--json-name)" },
  { tag: tags.comment, color: "var(--quiet)" },
]);

const theme = EditorView.theme({
  "&": { border: "1px solid var(--edge)", borderRadius: "var(--radius)", background: "var(--back)", color: "var(--text)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-content": { font: "var(--text-s) / 1.55 var(--mono)", padding: "0.35rem 0.25rem", caretColor: "var(--text)" },
  ".cm-scroller": { font: "inherit" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { background: "var(--accent-soft) !important" },
  "&.cm-focused .cm-matchingBracket": { background: "var(--accent-soft)" },
  ".cm-tooltip": { border: "1px solid var(--line-strong)", background: "var(--back)", color: "var(--text)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "var(--text-s)", maxHeight: "none" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--picked)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal" },
  // The editor's own underline is an image, which the page's policy does not allow.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)", textDecorationSkipInk: "none" },
  ".cm-diagnostic": { fontFamily: "var(--font)", fontSize: "var(--text-s)" },
});

/** Completes the paths of the event, then the functions. */
function complete(context: CompletionContext, paths: Path[]) {
  const word = context.matchBefore(/[\w.[\]"]+$/);
  if (!word && !context.explicit) return null;
  return {
    from: word?.from ?? context.pos,
    options: [
      ...paths.map(({ path, value }) => ({ label: path, detail: value, type: "variable" })),
      ...FUNCTIONS.map((label) => ({ label, type: "function" })),
    ],
    validFor: /^[\w.[\]"]*$/,
  };
}

/** A fault such as `1:6: something is missing before this`, at its place in the text. */
function diagnostic(fault: string, state: EditorState): Diagnostic {
  const found = /^(\d+):(\d+): (.*)$/s.exec(fault);
  const line = state.doc.line(Math.min(Math.max(Number(found?.[1] ?? 1), 1), state.doc.lines));
  const at = found ? Math.min(line.from + Number(found[2]) - 1, line.to) : line.from;
  const from = at === line.to ? Math.max(line.from, at - 1) : at;
  const word = /^\w+/.exec(line.text.slice(from - line.from))?.[0].length ?? 1;
  const to = found ? Math.min(from + word, line.to) : state.doc.length;
  return { from, to, severity: "error", message: found?.[3] ?? fault };
}

export function create(host: HTMLElement, { value, change, focus, paths }: Options): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const attributes = new Compartment();
  const about = (label: string, isInvalid: boolean) =>
    EditorView.contentAttributes.of({ "aria-label": label, "aria-invalid": String(isInvalid), spellcheck: "false" });
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: value,
      extensions: [
        history(),
        drawSelection(),
        bracketMatching(),
        EditorView.lineWrapping,
        language,
        syntaxHighlighting(colours),
        theme,
        autocompletion({ override: [(context) => complete(context, paths())], icons: false, maxRenderedOptions: MAX_OPTIONS }),
        linter(null),
        keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        attributes.of(about("", false)),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) change(update.state.doc.toString());
          if (update.focusChanged && update.view.hasFocus) focus();
        }),
      ],
    }),
  });
  return {
    set(text) {
      const known = view.state.doc.toString();
      if (text !== known) view.dispatch({ changes: { from: 0, to: known.length, insert: text } });
    },
    insert(text) {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    },
    describe(label, faults) {
      view.dispatch({ effects: attributes.reconfigure(about(label, faults.length > 0)) });
      view.dispatch(setDiagnostics(view.state, faults.map((fault) => diagnostic(fault, view.state))));
    },
    destroy: () => view.destroy(),
  };
}

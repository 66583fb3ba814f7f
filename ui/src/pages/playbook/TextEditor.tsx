// A text with numbered lines. It is a plain textarea as high as its text, so that numbers and lines
// cannot part, a screen reader knows what it is, and the Tab key goes on as on every page.
import { useMemo, type RefObject } from "react";
import type { DraftFinding } from "../../api/types";

export function TextEditor({ label, value, onChange, findings = [], readOnly = false, box }: {
  label: string;
  value: string;
  onChange: (text: string) => void;
  findings?: DraftFinding[];
  readOnly?: boolean;
  box?: RefObject<HTMLTextAreaElement | null>;
}) {
  const lines = useMemo(() => value.split("\n").length, [value]);
  const marked = useMemo(() => levels(findings), [findings]);
  return (
    <div className="editor">
      <ol className="editor-lines" aria-hidden="true">
        {Array.from({ length: lines }, (_, at) => (
          <li key={at} data-level={marked.get(at + 1)}>{at + 1}</li>
        ))}
      </ol>
      <textarea
        ref={box}
        aria-label={label}
        rows={lines}
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        readOnly={readOnly}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    </div>
  );
}

/** Put the caret on a line and show it. */
export function goTo(box: HTMLTextAreaElement | null, line: number) {
  if (box === null) return;
  const lines = box.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  box.focus();
  box.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  const around = box.parentElement;
  if (around) around.scrollTop = (box.scrollHeight / lines.length) * (line - 4);
}

/** The worst level of each line. */
function levels(findings: DraftFinding[]): Map<number, "error" | "warning"> {
  const found = new Map<number, "error" | "warning">();
  for (const { line, level } of findings) {
    if (line !== null && found.get(line) !== "error") found.set(line, level);
  }
  return found;
}

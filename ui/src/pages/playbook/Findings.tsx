// What the reader and lint say of a text, each with its line and a way out.
import type { DraftFinding } from "../../api/types";
import { Tag } from "../../parts/Tag";

export function Findings({ of, count, onLine }: {
  of: DraftFinding[];
  count: number; // of all; only the first come
  onLine: (line: number) => void;
}) {
  if (of.length === 0) return <p className="dim">Nothing to find: it reads, and lint is content.</p>;
  return (
    <ul className="findings" aria-label="Findings" tabIndex={0}>
      {of.map((one, at) => (
        <li key={at} data-level={one.level}>
          <div className="row">
            <Tag tone={one.level === "error" ? "bad" : "warn"}>{one.level}</Tag>
            {one.line !== null && (
              <button type="button" onClick={() => onLine(one.line ?? 1)}>line {one.line}</button>
            )}
            <code>{one.rule}</code>
          </div>
          {one.path !== "" && <code>{one.path}</code>}
          {one.expected !== "" ? (
            <div>
              expected {one.expected}
              <br />
              found {one.found}
            </div>
          ) : (
            <div>{one.message}</div>
          )}
          {one.way_out !== "" && <div className="dim">{one.way_out}</div>}
        </li>
      ))}
      {count > of.length && <li>and {count - of.length} more, once these are mended</li>}
    </ul>
  );
}

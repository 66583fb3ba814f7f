// Two texts and what changed between them, line by line.
import { useMemo } from "react";
import { Empty } from "../../parts/Loaded";
import { difference, hunks } from "./difference";

const MOST = 4_000_000; // cells of the comparison: two texts of 2,000 lines

export function Diff({ from, to }: { from: string; to: string }) {
  const lines = useMemo(
    () =>
      from.split("\n").length * to.split("\n").length > MOST
        ? undefined
        : hunks(difference(from, to)),
    [from, to],
  );
  if (lines === undefined) return <Empty title="Too many lines to compare here" />;
  if (lines.every((line) => line === null || line.kind === "same")) {
    return <Empty title="The two say the same" />;
  }
  return (
    <pre className="output diff" tabIndex={0} aria-label="Changed lines">
      {lines.map((line, at) =>
        line === null ? (
          <span key={at} className="diff-gap">{"⋯\n"}</span>
        ) : (
          <span key={at} data-kind={line.kind}>
            {line.kind === "added" ? "+ " : line.kind === "removed" ? "- " : "  "}
            {line.text}
            {"\n"}
          </span>
        ),
      )}
    </pre>
  );
}

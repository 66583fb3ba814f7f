// What changed between two texts, line by line: the longest common subsequence of lines.

export type Line = { kind: "same" | "added" | "removed"; text: string; from?: number; to?: number };

export function difference(from: string, to: string): Line[] {
  const before = from.split("\n");
  const after = to.split("\n");
  const shared = lengths(before, after);
  const found: Line[] = [];
  let at = 0;
  let other = 0;
  while (at < before.length || other < after.length) {
    const old = before[at];
    const fresh = after[other];
    if (old !== undefined && old === fresh) {
      found.push({ kind: "same", text: old, from: ++at, to: ++other });
    } else if (
      old !== undefined &&
      (fresh === undefined || cell(shared, at + 1, other) >= cell(shared, at, other + 1))
    ) {
      found.push({ kind: "removed", text: old, from: ++at });
    } else if (fresh !== undefined) {
      found.push({ kind: "added", text: fresh, to: ++other });
    }
  }
  return found;
}

/** Changes with some lines around them; `null` stands for lines that were left out. */
export function hunks(lines: Line[], around = 3): (Line | null)[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - around), at + around + 1).some(({ kind }) => kind !== "same"),
  );
  const found: (Line | null)[] = [];
  lines.forEach((line, at) => {
    if (near[at]) found.push(line);
    else if (found.at(-1) !== null) found.push(null);
  });
  return found;
}

/** For each pair of places, how many lines the rests have in common. */
function lengths(before: string[], after: string[]): Uint16Array[] {
  const table = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let at = before.length - 1; at >= 0; at -= 1) {
    for (let other = after.length - 1; other >= 0; other -= 1) {
      const row = table[at];
      if (row === undefined) continue;
      row[other] =
        before[at] === after[other]
          ? cell(table, at + 1, other + 1) + 1
          : Math.max(cell(table, at + 1, other), cell(table, at, other + 1));
    }
  }
  return table;
}

function cell(table: Uint16Array[], at: number, other: number): number {
  return table[at]?.[other] ?? 0;
}

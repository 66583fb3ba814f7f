// Where the services of a topology stand: callers on the left, what they call to the right.

export type Call = { caller: string; callee: string };
export type Place = { name: string; x: number; y: number };
export type Line<Of extends Call> = { edge: Of; path: string };
export type Layout<Of extends Call> = {
  places: Place[];
  lines: Line<Of>[];
  width: number;
  height: number;
};

export const BOX = { width: 156, height: 40 };
const GAP = { x: 72, y: 26 };
const MARGIN = 16;
const LETTERS = 19; // of a name in its box

/** A name as its box has room for it. */
export function shortly(name: string): string {
  return name.length > LETTERS ? `${name.slice(0, LETTERS - 1)}…` : name;
}

/** One column for each step away from who is called by nobody; a circle is cut where it closes. */
export function layOut<Of extends Call>(edges: Of[]): Layout<Of> {
  const columns = columnsOf(edges);
  const byColumn = new Map<number, string[]>();
  for (const [name, column] of columns) {
    byColumn.set(column, [...(byColumn.get(column) ?? []), name]);
  }
  const tallest = Math.max(1, ...[...byColumn.values()].map((names) => names.length));
  const height = 2 * MARGIN + tallest * (BOX.height + GAP.y) - GAP.y;
  const places = new Map<string, Place>();
  for (const [column, names] of byColumn) {
    const own = names.length * (BOX.height + GAP.y) - GAP.y;
    names.sort((one, other) => middle(one, edges, places) - middle(other, edges, places));
    names.forEach((name, row) => {
      places.set(name, {
        name,
        x: MARGIN + column * (BOX.width + GAP.x),
        y: (height - own) / 2 + row * (BOX.height + GAP.y),
      });
    });
  }
  const width = 2 * MARGIN + byColumn.size * (BOX.width + GAP.x) - GAP.x;
  const lines = edges.flatMap((edge) => {
    const from = places.get(edge.caller);
    const to = places.get(edge.callee);
    return from && to ? [{ edge, path: line(from, to) }] : [];
  });
  return { places: [...places.values()], lines, width: Math.max(width, 0), height };
}

function columnsOf(edges: Call[]): Map<string, number> {
  const names = [...new Set(edges.flatMap(({ caller, callee }) => [caller, callee]))].sort();
  const callees = new Map(names.map((name) => [name, [] as string[]]));
  const called = new Set<string>();
  for (const { caller, callee } of edges) {
    if (caller === callee) continue;
    callees.get(caller)?.push(callee);
    called.add(callee);
  }
  const columns = new Map<string, number>();
  const visit = (name: string, column: number, above: Set<string>) => {
    if (above.has(name) || (columns.get(name) ?? -1) >= column) return;
    columns.set(name, column);
    above.add(name);
    for (const next of callees.get(name) ?? []) visit(next, column + 1, above);
    above.delete(name);
  };
  for (const name of names) if (!called.has(name)) visit(name, 0, new Set());
  for (const name of names) if (!columns.has(name)) visit(name, 0, new Set()); // only circles
  const used = [...new Set(columns.values())].sort((one, other) => one - other);
  return new Map([...columns].map(([name, column]) => [name, used.indexOf(column)]));
}

/** The height at which the callers of a service stand, so that lines cross less. */
function middle(name: string, edges: Call[], places: Map<string, Place>): number {
  const callers = edges
    .filter(({ callee }) => callee === name)
    .flatMap(({ caller }) => places.get(caller)?.y ?? []);
  return callers.length === 0 ? 0 : callers.reduce((sum, y) => sum + y, 0) / callers.length;
}

function line(from: Place, to: Place): string {
  const y1 = from.y + BOX.height / 2;
  const y2 = to.y + BOX.height / 2;
  if (from === to) {
    const x = from.x + BOX.width;
    return `M ${x} ${y1 - 8} C ${x + 40} ${y1 - 34}, ${x + 40} ${y1 + 34}, ${x} ${y1 + 8}`;
  }
  const back = to.x <= from.x;
  const x1 = back ? from.x : from.x + BOX.width;
  const x2 = back ? to.x + BOX.width : to.x;
  const bend = back ? -GAP.x / 2 : GAP.x / 2;
  return `M ${x1} ${y1} C ${x1 + bend} ${y1}, ${x2 - bend} ${y2}, ${x2} ${y2}`;
}

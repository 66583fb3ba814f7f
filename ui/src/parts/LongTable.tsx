// A table of any length: of thousands of rows those in view are drawn, and room is kept for the rest.
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Fragment, memo, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Table } from "./Page";

const SHORT = 120; // rows up to which all are drawn: find-in-page and printing see them
const AROUND = 12; // rows drawn above and below the view
const ROW_PX = 62; // until a row was measured

export type LongProps<T> = {
  label: string;
  head: string[];
  rows: T[];
  keyOf: (row: T) => string;
  /** The cells of one row; the row itself is made here. */
  cells: (row: T) => ReactNode;
};

export function LongTable<T>(props: LongProps<T>) {
  return props.rows.length > SHORT ? <Virtual {...props} /> : <Plain {...props} />;
}

function Plain<T>({ label, head, rows, keyOf, cells }: LongProps<T>) {
  return (
    <Table stacks label={label} head={head}>
      {rows.map((row) => <tr key={keyOf(row)}>{cells(row)}</tr>)}
    </Table>
  );
}

function Virtual<T>({ label, head, rows, keyOf, cells }: LongProps<T>) {
  const place = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const box = place.current;
    if (box) setTop(box.getBoundingClientRect().top + window.scrollY);
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: AROUND,
    scrollMargin: top,
    getItemKey: (at) => {
      const row = rows[at];
      return row === undefined ? at : keyOf(row);
    },
  });
  const shown = virtual.getVirtualItems();
  const above = (shown[0]?.start ?? top) - top;
  const below = virtual.getTotalSize() - ((shown.at(-1)?.end ?? top) - top);
  return (
    <div ref={place}>
      <Table stacks label={label} head={head} count={rows.length + 1}>
        <Room height={above} columns={head.length} />
        {shown.map(({ index, key }) => {
          const row = rows[index];
          return row === undefined ? (
            <Fragment key={key} />
          ) : (
            <tr key={key} ref={virtual.measureElement} data-index={index} aria-rowindex={index + 2}>
              <Cells of={row} cells={cells as (row: unknown) => ReactNode} />
            </tr>
          );
        })}
        <Room height={below} columns={head.length} />
      </Table>
    </div>
  );
}

/** While somebody scrolls, a row that stays in view is not made again. */
const Cells = memo(function Cells({ of, cells }: {
  of: unknown;
  cells: (row: unknown) => ReactNode;
}) {
  return cells(of);
});

function Room({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden="true" className="room">
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
}

import { useEffect, type ReactNode } from "react";

/** The frame of a page: its title, here and in the browser's tab, and what can be done at once. */
export function Page({ title, actions, children }: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · SentienGuard`;
  }, [title]);
  return (
    <div className="stack page">
      <div className="page-head">
        <h1>{title}</h1>
        {actions && <div className="row">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

export function Card({ title, aside, children, id }: {
  title?: string;
  aside?: ReactNode;
  children: ReactNode;
  id?: string;
}) {
  return (
    <section className="card stack" id={id} aria-label={title}>
      {title !== undefined && (
        <div className="card-head">
          <h2>{title}</h2>
          {aside}
        </div>
      )}
      {children}
    </section>
  );
}

/** Names and values, side by side. */
export function Facts({ of }: { of: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/**
 * A table that scrolls sideways by itself on a narrow screen. With `stacks`, its rows become
 * blocks there instead; a cell's data-name then says what the lost head would have said.
 */
export function Table({ label, head, stacks = false, count, children }: {
  label: string;
  head: string[];
  stacks?: boolean;
  /** Rows with the head, where only some of them are drawn. */
  count?: number;
  children: ReactNode;
}) {
  return (
    <div className="table" data-stacks={stacks} role="region" aria-label={label} tabIndex={0}>
      <table {...(count === undefined ? {} : { "aria-rowcount": count })}>
        <thead>
          <tr>
            {head.map((name, at) =>
              name === "" ? <td key={at} /> : <th key={name} scope="col">{name}</th>,
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

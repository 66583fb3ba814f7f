import type { ReactNode } from "react";

/** One number large, its name above and what it means below. */
export function Figure({ name, value, children }: {
  name: string;
  value: string;
  children?: ReactNode;
}) {
  return (
    <div className="card figure">
      <span className="dim">{name}</span>
      <strong>{value}</strong>
      <span className="dim">{children}</span>
    </div>
  );
}

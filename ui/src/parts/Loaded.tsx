import { Button, Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import { Problem } from "../api/client";

type Query<T> = { data: T | undefined; error: Error | null; refetch: () => unknown };

/** What a query brought, or why it did not. Old data stays in view when a later reading fails. */
export function Loaded<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error && <Failure error={query.error} retry={query.refetch} />}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <Failure error={query.error} retry={query.refetch} />;
  return (
    <div className="stack" role="status" aria-label="Loading">
      <Skeleton height={28} width="40%" />
      <Skeleton height={90} />
      <Skeleton height={90} />
    </div>
  );
}

export function Failure({ error, retry }: { error: Error; retry?: () => unknown }) {
  return (
    <div className="notice" data-tone="bad" role="alert">
      <div>
        <strong>{error.message}</strong>
        {error instanceof Problem && error.detail !== "" && <p>{error.detail}</p>}
      </div>
      {retry && (
        <Button size="xs" variant="default" onClick={() => void retry()}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** What an empty place is for, and what would fill it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  );
}

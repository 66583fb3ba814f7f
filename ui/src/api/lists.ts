// Long lists that grow at their beginning, where somebody may have loaded thousands of rows.
//
// When something changed, the beginning is read again and joined with the rows that are there:
// reading every loaded page again would be hundreds of requests for each event. Rows further down
// are read again one by one where an event names them.
import {
  focusManager,
  hashKey,
  useInfiniteQuery,
  useQueryClient,
  type InfiniteData,
  type Query,
  type QueryClient,
  type QueryKey,
  type UseInfiniteQueryOptions,
} from "@tanstack/react-query";
import { useEffect } from "react";

/** How rows of a list are told apart and ordered; with it in its `meta`, a query is a long list. */
export type Rows<Row = unknown> = {
  key(row: Row): string;
  /** Larger is newer; the list begins with the largest. */
  rank(row: Row): number;
  /** Rows of a full page, where a page may be short and have a next one. */
  page?: number;
  /** Read one row again, by its key. */
  again?(key: string): Promise<Row>;
};

declare module "@tanstack/react-query" {
  interface Register {
    queryMeta: { rows?: Rows };
  }
}

type Page<Row = unknown> = { items: Row[] };
type Data = InfiniteData<Page, unknown>;

/** Stands for everything, where nobody knows what changed. */
export const ALL = "*";
const MOST_ROWS = 1_000; // that are read again where all may have changed
const MOST_NAMED = 10; // rows that are read again one by one

export const isLong = (query: Query): boolean => query.meta?.rows !== undefined;

/** A long list; what was kept of it is renewed when it comes into view, and `every` so often. */
export function useLong<Of extends Page, Key extends QueryKey, Param>(
  options: UseInfiniteQueryOptions<Of, Error, InfiniteData<Of>, Key, Param>,
  every?: number,
) {
  const queries = useQueryClient();
  const { queryKey } = options;
  const hash = hashKey(queryKey);
  useEffect(() => {
    const again = () => {
      const query = queries.getQueryCache().find({ queryKey, exact: true });
      if (query?.state.data !== undefined) void renew(queries, query, new Set());
    };
    again();
    if (every === undefined) return undefined;
    const timer = setInterval(() => focusManager.isFocused() && again(), every);
    return () => clearInterval(timer);
  }, [queries, hash, every]); // the hash stands for the key, which is made anew each time
  return useInfiniteQuery({
    ...options,
    staleTime: Infinity, // otherwise every page is read again with each look
    refetchOnMount: false,
  });
}

const running = new WeakSet<Query>();
const waiting = new WeakMap<Query, Set<string>>();

/** Read the beginning of a list again, and the rows named; one reading at a time. */
export async function renew(queries: QueryClient, query: Query, names: ReadonlySet<string>) {
  if (running.has(query)) {
    waiting.set(query, new Set([...(waiting.get(query) ?? []), ...names]));
    return;
  }
  running.add(query);
  try {
    for (let next: ReadonlySet<string> | undefined = names; next; ) {
      await once(queries, query, next);
      next = waiting.get(query);
      waiting.delete(query);
    }
  } finally {
    running.delete(query);
  }
}

async function once(queries: QueryClient, query: Query, names: ReadonlySet<string>) {
  const rows = query.meta?.rows;
  const before = query.state.data as Data | undefined;
  if (rows === undefined || before === undefined) return;
  const loaded = before.pages.flatMap((page) => page.items);
  try {
    const most = names.has(ALL) ? Math.min(loaded.length, MOST_ROWS) : 1;
    const head = await beginning(queries, query, most);
    const fresh = new Set(head.pages.flatMap((page) => page.items).map((row) => rows.key(row)));
    const further = loaded
      .map((row) => rows.key(row))
      .filter((key) => names.has(key) && !fresh.has(key))
      .slice(0, rows.again ? MOST_NAMED : 0);
    const read = await Promise.all(
      further.map(async (key) => [key, await rows.again?.(key)] as const),
    );
    // A page that is on its way ends with the list as it was when it was asked for.
    while (query.state.fetchStatus === "fetching") await query.promise?.catch(() => undefined);
    queries.setQueryData<Data>(query.queryKey, (now) =>
      now && joined(now, head, rows, new Map(read)),
    );
  } catch {
    await queries.invalidateQueries({ queryKey: query.queryKey, exact: true }); // it says why
  }
}

/** Read pages from the first on, until there are so many rows. */
async function beginning(queries: QueryClient, query: Query, rows: number): Promise<Data> {
  const options = query.options as unknown as UseInfiniteQueryOptions<Page>;
  const read = options.queryFn as (about: object) => Promise<Page>;
  const found: Data = { pages: [], pageParams: [] };
  let param = options.initialPageParam;
  let count = 0;
  do {
    const page = await read({
      client: queries,
      queryKey: query.queryKey,
      pageParam: param,
      signal: new AbortController().signal,
      meta: query.meta,
    });
    found.pages.push(page);
    found.pageParams.push(param);
    count += page.items.length;
    param = options.getNextPageParam(page, found.pages, param, found.pageParams);
  } while (count < rows && param != null);
  return { ...found, pageParams: [...found.pageParams, param] };
}

/** Put what was read anew before what is older; `head` has one parameter more than pages. */
export function joined(
  before: Data,
  head: Data,
  rows: Rows,
  again: ReadonlyMap<string, unknown> = new Map(),
): Data {
  const fresh: Data = { pages: head.pages, pageParams: head.pageParams.slice(0, head.pages.length) };
  const next = head.pageParams.at(-1);
  const older = before.pages.at(-1);
  if (before.pages.length <= 1 || next == null || older === undefined) return fresh;
  const items = head.pages.flatMap((page) => page.items);
  const last = items.at(-1);
  if (last === undefined) return before; // nothing new, and it goes on further down
  const known = new Set(items.map((row) => rows.key(row)));
  const had = before.pages.flatMap((page) => page.items);
  const full = rows.page === undefined || items.length >= rows.page;
  // More are new than were read: what lies between nobody knows, so the rest is loaded anew.
  if (full && !had.some((row) => known.has(rows.key(row)))) return fresh;
  const end = rows.rank(last);
  const rest = had
    .filter((row) => !known.has(rows.key(row)) && rows.rank(row) <= end)
    .map((row) => again.get(rows.key(row)) ?? row);
  if (rest.length === 0) return fresh;
  return {
    pages: [...fresh.pages, { ...older, items: rest }],
    pageParams: [...fresh.pageParams, next],
  };
}

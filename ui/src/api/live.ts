// Server-sent events say what changed; the queries that show it are read again.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ALL, isLong, renew } from "./lists";

export type Liveness = "connecting" | "live" | "lost";

const SETTLE_MS = 300; // changes come in bursts; one reading serves a burst
const AGAIN_MS = 5_000; // after the server closed the stream for good (restart, expired session)
const EVERYTHING = "all"; // the server lost signals
/** Every kind of change that the server tells, and which queries it makes be read again. */
export const HEARD: Readonly<Record<string, readonly string[]>> = {
  incident: ["incident", "overview"],
  approval: ["approval", "overview"],
  freeze: ["freeze", "overview"],
  "break-glass": ["break-glass"],
  playbook: ["playbook"],
  user: ["users"],
  host: [], // one for each sample of each host: what shows hosts asks by the clock
  logins: [], // the stream of a login that ended is closed, which is heard as its end
  [EVERYTHING]: [],
};

export function useLive(): Liveness {
  const queries = useQueryClient();
  const [state, setState] = useState<Liveness>("connecting");

  useEffect(() => {
    const changed = new Map<string, Set<string>>(); // ids, by kind
    let stream: EventSource;
    let settling: ReturnType<typeof setTimeout> | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    let missed = false; // something may have changed while there was no connection

    const refresh = () => {
      settling = undefined;
      if (changed.has(EVERYTHING)) {
        readAgain(queries, [], new Set([ALL]));
      } else {
        const read = new Map<string, ReadonlySet<string>>(); // ids, by first word of the key
        for (const [kind, ids] of changed) {
          for (const noun of HEARD[kind] ?? []) read.set(noun, noun === kind ? ids : new Set());
        }
        for (const [noun, ids] of read) readAgain(queries, [noun], ids);
      }
      changed.clear();
    };
    const onChange = (event: MessageEvent<string>) => {
      const change = changeOf(event.data);
      if (change === undefined) return;
      changed.set(change.kind, (changed.get(change.kind) ?? new Set()).add(change.id));
      settling ??= setTimeout(refresh, SETTLE_MS);
    };
    const connect = () => {
      stream = new EventSource("/api/v1/live");
      stream.addEventListener("change", onChange);
      stream.onopen = () => {
        setState("live");
        if (missed) readAgain(queries, [], new Set([ALL]));
        missed = false;
      };
      stream.onerror = () => {
        setState("lost");
        missed = true;
        if (stream.readyState !== EventSource.CLOSED) return;
        void queries.invalidateQueries({ queryKey: ["me"] }); // 401 there leads to the login page
        again = setTimeout(connect, AGAIN_MS);
      };
    };
    connect();
    return () => {
      clearTimeout(settling);
      clearTimeout(again);
      stream.close();
    };
  }, [queries]);

  return state;
}

/** Read again what begins with this key: a long list its beginning, anything else as a whole. */
function readAgain(queries: QueryClient, queryKey: string[], ids: ReadonlySet<string>) {
  void queries.invalidateQueries({ queryKey, predicate: (query) => !isLong(query) });
  for (const query of queries.getQueryCache().findAll({ queryKey, predicate: isLong })) {
    if (query.isActive()) void renew(queries, query, ids);
    else query.invalidate(); // it is renewed when somebody looks at it again
  }
}

function changeOf(data: string): { kind: string; id: string } | undefined {
  try {
    const { kind, id } = JSON.parse(data) as { kind?: unknown; id?: unknown };
    if (typeof kind !== "string") return undefined;
    if (kind !== EVERYTHING && !HEARD[kind]?.length) return undefined;
    return { kind, id: typeof id === "string" ? id : "" };
  } catch {
    return undefined;
  }
}

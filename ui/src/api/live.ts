// Server-sent events say what changed; the queries that show it are read again.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

export type Liveness = "connecting" | "live" | "lost";

const SETTLE_MS = 300; // changes come in bursts; one reading serves a burst
const AGAIN_MS = 5_000; // after the server closed the stream for good (restart, expired session)
const KINDS = new Set(["incident", "approval", "host", "freeze", "break-glass", "audit"]);

export function useLive(): Liveness {
  const queries = useQueryClient();
  const [state, setState] = useState<Liveness>("connecting");

  useEffect(() => {
    const changed = new Set<string>();
    let stream: EventSource;
    let settling: ReturnType<typeof setTimeout> | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    let missed = false; // something may have changed while there was no connection

    const refresh = () => {
      settling = undefined;
      for (const kind of changed) void queries.invalidateQueries({ queryKey: [kind] });
      void queries.invalidateQueries({ queryKey: ["overview"] });
      changed.clear();
    };
    const onChange = (event: MessageEvent<string>) => {
      const kind = kindOf(event.data);
      if (kind === undefined) return;
      changed.add(kind);
      settling ??= setTimeout(refresh, SETTLE_MS);
    };
    const connect = () => {
      stream = new EventSource("/api/v1/live");
      stream.addEventListener("change", onChange);
      stream.onopen = () => {
        setState("live");
        if (missed) void queries.invalidateQueries();
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

function kindOf(data: string): string | undefined {
  try {
    const kind = (JSON.parse(data) as { kind?: unknown }).kind;
    return typeof kind === "string" && KINDS.has(kind) ? kind : undefined;
  } catch {
    return undefined;
  }
}

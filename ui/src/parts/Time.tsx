import { useEffect, useState } from "react";
import { ago, clock, utc } from "../format";

/** A moment on the viewer's clock; UTC on hover. */
export function Time({ at, relative = false }: { at: string; relative?: boolean }) {
  const now = useNow(relative);
  return (
    <time dateTime={at} title={utc(at)} className="time">
      {relative ? ago(at, now) : clock(at)}
    </time>
  );
}

const TICK_MS = 15_000; // "12 s ago" may lag by this much

function useNow(ticking: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!ticking) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}

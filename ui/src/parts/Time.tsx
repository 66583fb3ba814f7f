import { useEffect, useMemo, useState } from "react";
import { ago, clock, dated as withDate, utc } from "../format";

/**
 * A moment on the viewer's clock, with its date where it is not today's or is `dated`. UTC on hover,
 * and after a tap, where there is no hovering.
 */
export function Time({ at, relative = false, dated = false }: {
  at: string;
  relative?: boolean;
  dated?: boolean;
}) {
  const now = useNow(relative, at);
  const [tapped, setTapped] = useState(false);
  return (
    <time
      dateTime={at}
      title={utc(at)}
      className="time"
      onPointerUp={(event) => event.pointerType === "touch" && setTapped(!tapped)}
    >
      {tapped ? utc(at) : relative ? ago(at, now) : dated ? withDate(at) : clock(at)}
    </time>
  );
}

const TICK_MS = 15_000; // "12 s ago" may lag by this much

/** The time of the last tick, or of the last change of `at`: what came since is not yet to come. */
function useNow(ticking: boolean, at: string): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    if (!ticking) return undefined;
    const timer = setInterval(() => setTick((before) => before + 1), TICK_MS);
    return () => clearInterval(timer);
  }, [ticking]);
  return useMemo(() => Date.now(), [tick, at, ticking]);
}

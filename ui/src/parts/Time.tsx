import { useEffect, useState } from "react";
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
  const now = useNow(relative);
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

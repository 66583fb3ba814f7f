// The end of a list that goes on: the next page comes by a button, or by scrolling there.
import { Button } from "@mantine/core";
import { useEffect, useRef } from "react";

const AHEAD = "600px"; // the next are fetched when their place comes so near to the view

/** A button for who uses keys; who scrolls gets the next rows as they come near. */
export function More({ label, busy, more }: { label: string; busy: boolean; more: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef(more);
  latest.current = more;
  useEffect(() => {
    const box = place.current;
    if (box === null || busy || !("IntersectionObserver" in window)) return undefined;
    const seen = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting) && window.scrollY > 0) latest.current();
      },
      { rootMargin: AHEAD },
    );
    seen.observe(box);
    return () => seen.disconnect();
  }, [busy]);
  return (
    <div ref={place}>
      <Button variant="default" loading={busy} onClick={more}>{label}</Button>
    </div>
  );
}

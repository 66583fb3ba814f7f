// What comes after # in an address: the part of a page that it is about. The page's data come after
// the address, so the browser finds nothing to scroll to.
import { useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";

const SETTLING_MS = 3_000; // parts above may still be loading and push it down
const HANDS = ["wheel", "touchstart", "pointerdown", "keydown"]; // who moves is left alone

/** Scroll to the named part once it is there; call it where that part is shown. Returns its name. */
export function useAnchor(): string {
  const name = useRouterState({ select: ({ location }) => location.hash });
  useEffect(() => {
    if (name === "" || document.getElementById(name) === null) return undefined;
    const go = () => document.getElementById(name)?.scrollIntoView();
    go();
    const grown = new ResizeObserver(go);
    grown.observe(document.getElementById("main") ?? document.body);
    const stop = () => {
      grown.disconnect();
      clearTimeout(timer);
      for (const hand of HANDS) window.removeEventListener(hand, stop);
    };
    const timer = setTimeout(stop, SETTLING_MS);
    for (const hand of HANDS) window.addEventListener(hand, stop, { passive: true });
    return stop;
  }, [name]);
  return name;
}

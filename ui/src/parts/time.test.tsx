import { render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { Time } from "./Time";

afterEach(() => vi.useRealTimers());

test("what was heard since the last tick is not said to be yet to come", () => {
  vi.useFakeTimers({ now: Date.parse("2026-11-22T18:00:00Z") });
  const shown = render(<Time at="2026-11-22T17:59:00Z" relative />);
  expect(screen.getByText("1 min ago")).toBeTruthy();
  vi.setSystemTime(Date.parse("2026-11-22T18:00:09Z"));
  shown.rerender(<Time at="2026-11-22T18:00:08Z" relative />);
  expect(screen.getByText("just now")).toBeTruthy();
});

test("what is to come is said to be", () => {
  vi.useFakeTimers({ now: Date.parse("2026-11-22T18:00:00Z") });
  render(<Time at="2026-11-22T18:05:00Z" relative />);
  expect(screen.getByText("in 5 min")).toBeTruthy();
});

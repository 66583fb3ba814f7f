// What a chart draws behind its line, and which metrics are a yes or a no.
import { describe, expect, test } from "vitest";
import type { Baseline } from "../api/types";
import { claim, isState, reading } from "../format";
import { bandParts } from "./Plot";

const usual: Baseline = {
  mean: 50, stddev: 2, p50: 50, p95: 53, p99: 55, samples: 900, seasonal: true,
};

describe("the band of a chart", () => {
  test("follows the time of day where that was learned", () => {
    const band = [
      { at: "2026-03-01T00:00:00Z", mean: 10, stddev: 1 },
      { at: "2026-03-01T00:30:00Z", mean: 60, stddev: 3 },
    ];
    const at = Date.parse("2026-03-01T00:00:00Z") / 1000;
    expect(bandParts(usual, band)).toEqual([
      { at, mean: 10, lower: 7, upper: 13 },
      { at: at + 1800, mean: 60, lower: 51, upper: 69 },
    ]);
  });

  test("is one for the whole span where only a baseline is known, as in an incident", () => {
    expect(bandParts(usual)).toEqual([{ at: -Infinity, mean: 50, lower: 44, upper: 56 }]);
    expect(bandParts(null)).toEqual([]);
  });
});

test.each([
  ["service.up", "not running"],
  ["service.healthy", "unhealthy"],
  ["system.interface_up", "down"],
  ["system.clock_synchronised", "no"],
])("%s is a yes or a no", (metric, no) => {
  expect(isState(metric)).toBe(true);
  expect(reading(metric, 0)).toBe(no);
  expect(claim(metric, "", 0)).toMatch(new RegExp(`is ${no}$`));
  expect(isState("system.cpu_percent")).toBe(false);
});

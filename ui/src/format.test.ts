import { describe, expect, test } from "vitest";
import {
  ago, bytes, claim, dated, duration, metricKey, reading, symptom, timeTicks, utc,
} from "./format";

test.each([
  [0.012, "12 ms"], [3.84, "3.8 s"], [107, "1 min 47 s"], [3599.9, "60 min"], [7200, "2 h"],
  [90_061, "1 d 1 h"], [-1.2, "−1.2 s"],
])("%d seconds read as %s", (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test.each([
  ["system.disk_usage_percent", 94.8, "94.8 %"], ["system.disk_free_bytes", 5.2 * 1024 ** 3, "5.2 GiB"],
  ["system.network_rx_bytes_per_s", 2048, "2 KiB/s"], ["service.healthy", 0, "unhealthy"],
  ["service.http_ms", 3.4, "3.4 ms"], ["system.uptime_s", 7200, "2 h"], ["queue.length", 17, "17"],
])("%s of %d reads as %s", (metric, value, words) => {
  expect(reading(metric, value)).toBe(words);
});

test("a metric key splits into metric and subject", () => {
  expect(metricKey("a.b[/var]")).toEqual({ metric: "a.b", subject: "/var" });
  expect(metricKey("a.b")).toEqual({ metric: "a.b", subject: "" });
});

test("moments and sizes", () => {
  expect(utc("2026-02-12T11:26:00Z")).toBe("2026-02-12 11:26:00 UTC");
  expect(ago("2026-02-12T11:26:00Z", Date.parse("2026-02-12T11:29:10Z"))).toBe("3 min ago");
  expect(ago("2026-02-12T11:26:00Z", Date.parse("2026-02-12T11:20:00Z"))).toBe("in 6 min");
  expect(bytes(512)).toBe("512 B");
  expect(claim("service.healthy", "web", 0)).toBe("Service health web is unhealthy");
  expect(claim("alert.firing", "DiskFull", 1)).toBe("Alert DiskFull fires");
  expect(claim("playbook.requested", "tidy_up", 1)).toBe("tidy_up was asked for");
  expect(dated(new Date().toISOString())).toContain(String(new Date().getFullYear()));
});

describe("what is wrong, in a title", () => {
  const of = { host: "web-1", subject: "", value: 0 };
  test.each([
    ["a reading", { ...of, metric: "system.cpu_percent", value: 97 }, "CPU at 97 % on web-1"],
    ["a service", { ...of, metric: "service.healthy", subject: "api" },
      "Service health api is unhealthy on web-1"],
    ["nothing: somebody asked", { ...of, metric: "playbook.requested", subject: "log_flood_truncate" },
      "log_flood_truncate was asked for on web-1"],
  ])("%s", (_, incident, said) => {
    expect(symptom(incident)).toBe(said);
  });
});

test("ticks of an axis differ, and name the day once", () => {
  const start = Date.parse("2026-02-12T11:26:00Z") / 1000;
  const close = timeTicks([start, start + 10, start + 20]);
  expect(new Set(close.map((tick) => tick.split("\n")[0])).size).toBe(3);
  expect(close.map((tick) => tick.includes("\n"))).toEqual([true, false, false]);
  expect(timeTicks([start, start + 0.2, start + 0.4]).slice(1)).toEqual(["", ""]);
  expect(timeTicks([start, start + 300])[1]).toMatch(/^\d\d:\d\d$/);
});

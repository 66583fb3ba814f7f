import { describe, expect, test } from "vitest";
import { ago, bytes, claim, duration, metricKey, reading, symptom, utc } from "./format";

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

import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { bothClocks, isState, reading, timeTicks } from "../format";
import { BAND_SIGMAS, type ChartProps } from "./Chart";

export default function Plot({
  metric,
  points,
  baseline,
  band,
  anomaly,
  height = 220,
}: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme("light");

  useEffect(() => {
    const box = place.current;
    if (box === null) return undefined;
    const colour = (name: string) => getComputedStyle(box).getPropertyValue(`--plot-${name}`).trim();
    const parts = bandParts(baseline, band);
    const lower = parts.length === 0 ? null : Math.min(...parts.map((part) => part.lower));
    const upper = parts.length === 0 ? null : Math.max(...parts.map((part) => part.upper));
    const axis: uPlot.Axis = {
      stroke: colour("axis"),
      grid: { stroke: colour("grid"), width: 1 },
      ticks: { stroke: colour("grid"), width: 1 },
      font: "12px system-ui, sans-serif",
    };

    const chart = new uPlot(
      {
        width: box.clientWidth || 600,
        height,
        padding: [null, 26, null, null], // half a label, where the last tick lies at the end
        cursor: { y: false, drag: { x: true, y: false } },
        scales: { y: { range: (_, low, high) => yRange(metric, low, high, lower, upper, anomaly) } },
        axes: [
          { ...axis, space: 54, values: (_, ticks) => timeTicks(ticks) },
          {
            ...axis,
            size: 76,
            ...(isState(metric) ? { splits: () => [0, 1] } : {}),
            values: (_, ticks) => ticks.map((tick) => reading(metric, tick)),
          },
        ],
        series: [
          {
            label: "at",
            value: (_, at) => (at == null ? "–" : bothClocks(new Date(at * 1000).toISOString())),
          },
          {
            label: "value",
            stroke: colour("line"),
            width: 2,
            points: { show: points.length < 40, size: 5 },
            value: (_, value) => (value == null ? "–" : reading(metric, value)),
          },
        ],
        hooks: {
          drawClear: [
            (self) => {
              if (parts.length === 0) return;
              const { left, width } = self.bbox;
              const y = (value: number) => self.valToPos(value, "y", true);
              const edge = (part: BandPart | undefined) =>
                part === undefined
                  ? left + width
                  : Math.min(Math.max(self.valToPos(part.at, "x", true), left), left + width);
              const { ctx } = self;
              ctx.save();
              ctx.beginPath();
              ctx.rect(left, self.bbox.top, width, self.bbox.height);
              ctx.clip();
              ctx.fillStyle = colour("band");
              ctx.strokeStyle = colour("mean");
              ctx.setLineDash([6, 5]);
              ctx.beginPath();
              parts.forEach((part, index) => {
                const from = index === 0 ? left : edge(part);
                const to = edge(parts[index + 1]);
                const top = y(part.upper);
                ctx.fillRect(from, top, to - from, Math.max(y(part.lower) - top, 1));
                if (index === 0) ctx.moveTo(from, y(part.mean));
                else ctx.lineTo(from, y(part.mean));
                ctx.lineTo(to, y(part.mean));
              });
              ctx.stroke();
              ctx.restore();
            },
          ],
          draw: [
            (self) => {
              if (anomaly === undefined) return;
              const x = self.valToPos(Date.parse(anomaly.at) / 1000, "x", true);
              const y = self.valToPos(anomaly.value, "y", true);
              const { ctx } = self;
              ctx.save();
              ctx.strokeStyle = colour("anomaly");
              ctx.fillStyle = colour("anomaly");
              ctx.lineWidth = 2 * devicePixelRatio;
              ctx.beginPath();
              ctx.arc(x, y, 4 * devicePixelRatio, 0, 2 * Math.PI);
              ctx.fill();
              ctx.beginPath();
              ctx.arc(x, y, 9 * devicePixelRatio, 0, 2 * Math.PI);
              ctx.stroke();
              ctx.restore();
            },
          ],
        },
      },
      [points.map(([at]) => Date.parse(at) / 1000), points.map(([, value]) => value)],
      box,
    );
    const resized = new ResizeObserver(() => {
      if (box.clientWidth > 0) chart.setSize({ width: box.clientWidth, height });
    });
    resized.observe(box);
    return () => {
      resized.disconnect();
      chart.destroy();
    };
  }, [metric, points, baseline, band, anomaly, height, scheme]);

  return <div ref={place} className="plot" />;
}

type BandPart = { at: number; mean: number; lower: number; upper: number };

/** What is usual from each moment on, in seconds; a baseline alone holds from the beginning. */
export function bandParts(
  baseline: ChartProps["baseline"],
  band: ChartProps["band"] = [],
): BandPart[] {
  const known = band.length > 0 ? band : baseline ? [{ at: "", ...baseline }] : [];
  return known.map(({ at, mean, stddev }) => ({
    at: at === "" ? -Infinity : Date.parse(at) / 1000,
    mean,
    lower: mean - BAND_SIGMAS * stddev,
    upper: mean + BAND_SIGMAS * stddev,
  }));
}

/** Room for the readings, the band and the anomaly; a percentage never leaves 0 to 100. */
function yRange(
  metric: string,
  low: number | null,
  high: number | null,
  lower: number | null,
  upper: number | null,
  anomaly: { value: number } | undefined,
): [number, number] {
  if (isState(metric)) return [-0.15, 1.15];
  const seen = [low, high, lower, upper, anomaly?.value].filter(
    (value): value is number => typeof value === "number" && Number.isFinite(value),
  );
  if (seen.length === 0) return [0, 1];
  const least = Math.min(...seen);
  const most = Math.max(...seen);
  const margin = (most - least || Math.abs(most) || 1) * 0.12;
  const floor = least >= 0 ? Math.max(0, least - margin) : least - margin;
  const roof = metric.endsWith("_percent") && most <= 100 ? Math.min(101, most + margin) : most + margin;
  return [metric.endsWith("_percent") && least < 0 ? 0 : floor, roof];
}

// A series with its baseline band and the anomaly. The plotting code is loaded when one is shown.
import { lazy, Suspense } from "react";
import type { Baseline, Series } from "../api/types";
import { metricName, reading } from "../format";

const Plot = lazy(() => import("./Plot"));

export type ChartProps = {
  metric: string;
  subject: string;
  points: [string, number][];
  baseline: Baseline | null;
  /** What is usual at each time of day; without it the baseline holds for the whole span. */
  band?: Series["band"];
  anomaly?: { at: string; value: number };
  height?: number;
};

export const BAND_SIGMAS = 3; // the detector calls more than this unusual

export function Chart(props: ChartProps) {
  const height = props.height ?? 220;
  return (
    <figure className="chart">
      <div role="img" aria-label={inWords(props)} className="chart-area">
        <Suspense fallback={<div className="chart-wait" style={{ height }} />}>
          <Plot {...props} height={height} />
        </Suspense>
      </div>
      <figcaption>
        <span className="key" data-key="line">{metricName(props.metric, props.subject)}</span>
        {props.baseline && (
          <span className="key" data-key="band">
            usual {usualWhen(props)}: mean ± {BAND_SIGMAS}σ
          </span>
        )}
        {props.anomaly && (
          <span className="key" data-key="anomaly">
            anomaly, {reading(props.metric, props.anomaly.value)}
          </span>
        )}
      </figcaption>
    </figure>
  );
}

function usualWhen({ baseline, band = [] }: ChartProps): string {
  if (!baseline?.seasonal) return "values";
  return band.length > 1 ? "at each time of day" : "at this time of day";
}

function inWords({ metric, subject, points, baseline, anomaly }: ChartProps): string {
  const values = points.map(([, value]) => value);
  const last = values.at(-1);
  const parts = [`Chart of ${metricName(metric, subject)}`];
  if (last !== undefined) {
    parts.push(
      `${values.length} readings from ${reading(metric, Math.min(...values))} to ` +
        `${reading(metric, Math.max(...values))}, last ${reading(metric, last)}`,
    );
  }
  if (baseline) parts.push(`usual mean ${reading(metric, baseline.mean)}`);
  if (anomaly) parts.push(`anomaly at ${reading(metric, anomaly.value)}`);
  return parts.join("; ");
}

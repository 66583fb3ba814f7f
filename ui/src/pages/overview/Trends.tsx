// How it goes: this span of days beside the one before it, and the parts of this one.
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { trends } from "../../api/queries";
import type { Span, Trends as Found } from "../../api/types";
import { bothClocks, duration, number, percent } from "../../format";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card } from "../../parts/Page";

const route = getRouteApi("/inside/");
const SPANS = [
  { value: "1", label: "1 day" },
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
];

type Measure = {
  name: string;
  means: string;
  of: (span: Span) => number | null;
  shown: (value: number) => string;
  better: "more" | "less";
  /** How many incidents the figure rests on. */
  count: (span: Span) => number;
  part: (span: Span) => string;
};

const FEW = 10; // incidents below which a difference is not called better or worse

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);

/** The same over all whose symptom went, whoever ended it: a remedy, a person, or nobody. */
const recovered = ({ recovered: count, mean_seconds_to_recover: mean }: Span) =>
  mean === null ? "" : `; ${duration(mean)} over all ${number(count)} that recovered`;

const MEASURES: Measure[] = [
  {
    name: "Mean time to resolve by remedy",
    means: "from opened to closed, of what a remedy resolved",
    of: (span) => span.mean_seconds_to_resolve,
    shown: duration,
    better: "less",
    count: (span) => span.resolved,
    part: (span) =>
      span.median_seconds_to_resolve === null
        ? `no remedy resolved anything${recovered(span)}`
        : `median ${duration(span.median_seconds_to_resolve)} of ${number(span.resolved)}${recovered(span)}`,
  },
  {
    name: "Mean time to resolve by people",
    means: "from opened to when somebody closed it by hand, also long after a remedy gave up",
    of: (span) => span.mean_seconds_by_people,
    shown: duration,
    better: "less",
    count: (span) => span.by_people,
    part: (span) =>
      span.median_seconds_by_people === null
        ? "people ended nothing"
        : `median ${duration(span.median_seconds_by_people)} of ${number(span.by_people)}`,
  },
  {
    name: "Autonomy",
    means: "resolved with nobody asked, of all that closed",
    of: (span) => share(span.unattended, span.closed),
    shown: percent,
    better: "more",
    count: (span) => span.closed,
    part: (span) => `${number(span.unattended)} of ${number(span.closed)} closed`,
  },
  {
    name: "Rolled back",
    means: "failed and wholly undone, of all remedies that ran",
    of: (span) => share(span.rolled_back, span.ran),
    shown: percent,
    better: "less",
    count: (span) => span.ran,
    part: (span) => `${number(span.rolled_back)} of ${number(span.ran)} ran`,
  },
  {
    name: "Harm",
    means: "something was left behind or nobody knows, of all remedies that ran",
    of: (span) => share(span.harmed, span.ran),
    shown: percent,
    better: "less",
    count: (span) => span.ran,
    part: (span) => `${number(span.harmed)} of ${number(span.ran)} ran`,
  },
];

export function Trends() {
  const { days = "30" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Card
      title="How it goes"
      aside={
        <div className="row">
          <NativeSelect
            size="xs"
            aria-label="Span"
            value={days}
            data={SPANS}
            onChange={(event) => {
              const value = event.currentTarget.value;
              void navigate({ to: "/", search: { days: value }, replace: true });
            }}
          />
          <Link to="/calibration">Was confidence right?</Link>
        </div>
      }
    >
      <Loaded query={useQuery(trends(Number(days) || 30))}>
        {(found) =>
          isEmpty(found.now) && isEmpty(found.before) ? (
            <Empty title="Nothing has closed in this span">
              These figures begin with the first incident that comes to an end.
            </Empty>
          ) : (
            <>
              <div className="measures">
                {MEASURES.map((one) => (
                  <One key={one.name} measure={one} of={found} />
                ))}
              </div>
              <p className="dim">
                Remedies end what they know and people get the rest, so the two times are not of
                the same work. Fewer than {FEW} incidents make no trend.
              </p>
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

function One({ measure, of }: { measure: Measure; of: Found }) {
  const now = measure.of(of.now);
  const [chosen, setChosen] = useState<number>();
  const one = chosen === undefined ? undefined : of.spans[chosen];
  return (
    <section className="measure" aria-label={measure.name}>
      <h3 title={measure.means}>{measure.name}</h3>
      <div className="measure-now">
        <strong>{now === null ? "–" : measure.shown(now)}</strong>
        <Change measure={measure} of={of} />
      </div>
      <Bars measure={measure} spans={of.spans} chosen={chosen} choose={setChosen} />
      <span className="dim">{one === undefined ? measure.part(of.now) : words(measure, one)}</span>
    </section>
  );
}

const isEmpty = (span: Span) => span.closed === 0 && span.by_people === 0;

function Change({ measure, of }: { measure: Measure; of: Found }) {
  const now = measure.of(of.now);
  const before = measure.of(of.before);
  const span = of.days === 1 ? "day" : `${of.days} days`;
  if (before === null) return <span className="dim">nothing in the {span} before</span>;
  if (now === null || measure.shown(now) === measure.shown(before)) {
    return <span className="dim">{measure.shown(before)} in the {span} before</span>;
  }
  const few = Math.min(measure.count(of.now), measure.count(of.before));
  if (few < FEW) {
    return (
      <span className="dim">
        {measure.shown(before)} in the {span} before; {number(few)} {few === 1 ? "is" : "are"} too
        few to compare
      </span>
    );
  }
  const better = now < before === (measure.better === "less");
  return (
    <span className="change" data-better={better}>
      {now < before ? "▼" : "▲"} {better ? "better" : "worse"} than {measure.shown(before)}
      <span className="dim"> in the {span} before</span>
    </span>
  );
}

/** One bar in words. */
function words(measure: Measure, span: Span): string {
  const value = measure.of(span);
  const said = value === null ? "nothing" : measure.shown(value);
  return `${bothClocks(span.starts_at)}: ${said}, ${measure.part(span)}`;
}

const WIDE = 240;
const HIGH = 44;

/** Hovering shows a bar's words; so does a tap, in the line below. */
function Bars({ measure, spans, chosen, choose }: {
  measure: Measure;
  spans: Span[];
  chosen: number | undefined;
  choose: (at: number | undefined) => void;
}) {
  const values = spans.map(measure.of);
  const most = Math.max(...values.map((value) => value ?? 0), Number.EPSILON);
  const each = WIDE / spans.length;
  const known = values.filter((value): value is number => value !== null);
  const label =
    known.length === 0
      ? `${measure.name} over time: nothing to show`
      : `${measure.name} over time: ${known.length} of ${spans.length} parts, from ` +
        `${measure.shown(Math.min(...known))} to ${measure.shown(Math.max(...known))}`;
  return (
    <svg className="bars" viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line className="plot-grid" x1={0} x2={WIDE} y1={HIGH - 0.5} y2={HIGH - 0.5} />
      {spans.map((span, at) => {
        const value = values[at];
        if (value == null) return null;
        const height = Math.max((value / most) * (HIGH - 4), 1.5);
        return (
          <rect
            key={span.starts_at}
            x={at * each + each * 0.12}
            width={each * 0.76}
            y={HIGH - height}
            height={height}
            data-chosen={at === chosen}
            onPointerUp={({ pointerType }) =>
              pointerType === "touch" && choose(at === chosen ? undefined : at)
            }
          >
            <title>{words(measure, span)}</title>
          </rect>
        );
      })}
    </svg>
  );
}

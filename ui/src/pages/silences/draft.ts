// A silence or maintenance that is being written, and what of it goes to the server.
import type { Matcher, Recurrence } from "../../api/types";

export const LABELS = {
  silences: ["host", "environment", "metric", "subject", "severity"],
  maintenance: ["host", "environment"],
} as const;
export const COMPARISONS = [
  { value: "=", label: "is" },
  { value: "!=", label: "is not" },
  { value: "=~", label: "matches" },
  { value: "!~", label: "does not match" },
];
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof DAYS)[number];

export type Draft = {
  matchers: Matcher[];
  again: "once" | "weekly" | "cron";
  days: Day[];
  time: string; // of the weekly start, HH:MM
  cron: string;
  zone: string;
  lasts: number; // minutes of each time of a recurring one
  minutes: number; // from now until it ends for good
  reason: string;
};

const HOUR = 60;
const DAY = 24 * HOUR;
export const ONCE = [
  { value: String(HOUR), label: "1 hour" },
  { value: String(4 * HOUR), label: "4 hours" },
  { value: String(12 * HOUR), label: "12 hours" },
  { value: String(DAY), label: "1 day" },
  { value: String(7 * DAY), label: "7 days" },
  { value: String(30 * DAY), label: "30 days" },
];
export const RECURRING = [
  { value: String(30 * DAY), label: "30 days" },
  { value: String(90 * DAY), label: "90 days" },
  { value: String(365 * DAY), label: "1 year" },
];

export function emptyDraft(host = ""): Draft {
  return {
    matchers: [{ label: "host", comparison: "=", value: host }],
    again: "once",
    days: ["sun"],
    time: "02:00",
    cron: "0 2 * * sun",
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
    lasts: 2 * HOUR,
    minutes: HOUR,
    reason: "",
  };
}

/** Matchers that say something; a matcher on a tag without a name says nothing yet. */
export function matchersOf(draft: Draft): Matcher[] {
  return draft.matchers
    .map((one) => ({ ...one, label: one.label.trim() }))
    .filter(({ label, value, comparison }) => {
      const named = label !== "" && label !== "tag.";
      return named && (value !== "" || comparison === "!=" || comparison === "=");
    })
    .filter(({ label, value }) => value !== "" || label.startsWith("tag."));
}

export function recurrenceOf(draft: Draft): Recurrence | null {
  if (draft.again === "once") return null;
  const cron = draft.again === "cron" ? draft.cron.trim() : weekly(draft.days, draft.time);
  return { cron, zone: draft.zone.trim(), minutes: draft.lasts };
}

/** What still keeps it from being made; null: nothing. */
export function missing(draft: Draft): string | null {
  if (matchersOf(draft).length === 0) return "Say what it is about";
  if (draft.again === "weekly" && draft.days.length === 0) return "Choose a day";
  if (draft.reason.trim() === "") return "Say why";
  return null;
}

export function written(matchers: Matcher[]): string {
  return matchers.map(({ label, comparison, value }) => `${label}${comparison}"${value}"`).join("  ");
}

const NAMES: Record<Day, string> = {
  mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday",
  sat: "Saturday", sun: "Sunday",
};

/** A recurrence in words, where it is as simple as the builder makes them. */
export function recurrenceWords({ cron, zone, minutes }: Recurrence): string {
  const [minute = "", hour = "", dayOfMonth, month, days = ""] = cron.split(/\s+/);
  const list = days.split(",");
  const known = list.every((day): day is Day => (DAYS as readonly string[]).includes(day));
  const simple = /^\d+$/.test(minute) && /^\d+$/.test(hour) && dayOfMonth === "*" && month === "*";
  const lasts = minutes % HOUR === 0 ? `${minutes / HOUR} h` : `${minutes} min`;
  if (!simple || !(known || days === "*")) return `${cron} (${zone}), ${lasts} each time`;
  const when = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  const which = days === "*" || list.length === 7 ? "every day" : list.map((day) => NAMES[day as Day]).join(", ");
  return `${which} at ${when} (${zone}), ${lasts} each time`;
}

function weekly(days: Day[], time: string): string {
  const [hour = "0", minute = "0"] = time.split(":");
  const chosen = DAYS.filter((day) => days.includes(day));
  return `${Number(minute)} ${Number(hour)} * * ${chosen.length === DAYS.length ? "*" : chosen.join(",")}`;
}

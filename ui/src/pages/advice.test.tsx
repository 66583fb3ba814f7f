// The adviser's card: an opinion with its standing, or why there is none, and never as markup.
import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { World } from "../../mock-api/world";
import type { Advice } from "../api/types";
import { visit } from "../testing/visit";

const HOSTILE = "<img src=x onerror=alert(1)> [click](javascript:alert(1))";
const OPINION: Advice = {
  standing: "An opinion; it decided nothing.",
  model: "test@nowhere",
  asked_at: "2026-02-12T11:26:00Z",
  offered: ["disk_cleanup_rotated_logs"],
  given: true,
  hypothesis: HOSTILE,
  reasoning: HOSTILE,
  choice: null,
  absent: "",
  asked_back: [`query_metrics(${HOSTILE})`],
  took_ms: 1500,
  turns: 2,
  tokens_in: 900,
  tokens_out: 80,
  dollars: 0.0042,
};

const SLOW = { timeout: 4000 }; // the page's parts are loaded first

function shown(advice: Advice | null) {
  const there = new World();
  const story = there.stories[0];
  if (!story) throw new Error("the mock tells no story");
  story.advice = advice;
  visit(`/incidents/${story.incident.id}`, there);
}

test("an opinion is shown with its standing, and its text as text", async () => {
  shown(OPINION);
  const card = await screen.findByRole("region", { name: "Adviser" }, SLOW);
  expect(card.textContent).toContain("An opinion; it decided nothing.");
  expect(within(card).getAllByText(HOSTILE)).toHaveLength(2);
  expect(card.querySelector("img, script, a")).toBeNull();
  expect(card.textContent).toContain("it names none");
});

test("where there is no opinion the reason stands there", async () => {
  shown({ ...OPINION, given: false, absent: "no answer within 20 s" });
  const card = await screen.findByRole("region", { name: "Adviser" }, SLOW);
  expect(card.textContent).toContain("no answer within 20 s");
  expect(card.textContent).not.toContain(HOSTILE + HOSTILE);
});

test("where nobody was asked there is no card", async () => {
  shown(null);
  await screen.findByRole("region", { name: "Decide" }, SLOW);
  expect(screen.queryByRole("region", { name: "Adviser" })).toBeNull();
});

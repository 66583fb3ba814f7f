// The three sentences at the top of an incident, for each way that it can stand.
import { describe, expect, test } from "vitest";
import { World } from "../../../mock-api/world";
import type { Approval, Story } from "../../api/types";
import { asked, done } from "./Brief";

const there = new World();
const READER = { name: "rita", answers: true };

/** A story of the mock, changed. */
function told(change: (story: Story) => void): Story {
  const found = there.stories.find(({ order, decision }) => order?.outcome && decision?.playbook);
  if (!found) throw new Error("no such story in the mock");
  const story = structuredClone(found);
  story.approval = null;
  story.incident.status = "CLOSED";
  story.decision!.playbook = "clean_up";
  Object.assign(story.order!, { status: "finished", dry_run: false, left_behind: [], outcome: "SUCCESS" });
  const [step] = story.order!.steps;
  story.order!.steps = [
    { ...step!, phase: "pre_check", status: "success" },
    { ...step!, phase: "step", status: "success" },
    { ...step!, phase: "step", status: "skipped" },
  ];
  Object.assign(story.care, {
    needs_people: false, acknowledged_by: null, settled_by: null, reopened_as: null,
  });
  change(story);
  return story;
}

describe("what was done", () => {
  test.each<[string, (story: Story) => void]>([
    ["clean_up ran, and it was verified that it helped.", () => {}],
    ["clean_up ran 1 step, it did not help, and all of it was undone.",
      ({ order }) => { order!.outcome = "ROLLED_BACK"; }],
    ["clean_up ran 1 step and failed. Not undone: restart.",
      ({ order }) => { Object.assign(order!, { outcome: "FAILED", left_behind: ["restart"] }); }],
    ["Nothing was changed: the host refused clean_up.", ({ order }) => { order!.status = "refused"; }],
    ["clean_up was only tried: nothing was changed.",
      ({ order }) => { Object.assign(order!, { outcome: "DRY_RUN", dry_run: true }); }],
    ["clean_up runs on the host now.", ({ order }) => { order!.outcome = null; }],
    ["Nothing was run.", (story) => { story.order = null; }],
    ["Nothing: it ended before a decision.",
      (story) => { story.order = null; story.decision = null; }],
    ["Nothing yet: evidence is gathered and weighed.",
      (story) => { story.order = null; story.incident.status = "ANALYZING"; }],
  ])("%s", (said, change) => {
    expect(done(told(change))).toBe(said);
  });
});

describe("what is asked of people", () => {
  test.each<[boolean, string, (story: Story) => void]>([
    [false, "Nothing.", () => {}],
    [true, "Look whether it is still wrong. Acknowledge it, repair it, then close it by hand.",
      ({ care }) => { care.needs_people = true; }],
    [true, "Look first at what was not undone. Acknowledge it, repair it, then close it by hand.",
      ({ care, order }) => { care.needs_people = true; order!.left_behind = ["restart"]; }],
    [false, "Nothing: rita looks after it.",
      ({ care }) => { Object.assign(care, { needs_people: true, acknowledged_by: "rita" }); }],
    [false, "Nothing: rita closed it.",
      ({ care }) => { Object.assign(care, { needs_people: true, settled_by: "rita" }); }],
    [false, "Nothing now: it is worked on.", ({ incident }) => { incident.status = "MITIGATING"; }],
  ])("%s: %s", (you, words, change) => {
    expect(asked(told(change), READER)).toEqual({ you, words });
  });

  test("a question that waits names its end", () => {
    const waiting = there.stories.find(({ approval }) => approval?.status === "pending");
    const before = waiting!.approval!.expires_at;
    expect(asked(waiting!, READER)).toEqual({ you: true, words: "Approve or deny it below", before });
    expect(done(waiting!)).toMatch(/^Nothing yet: .* waits for a yes\.$/);
  });

  test.each<[string, boolean, Partial<Approval>]>([
    ["You asked for it: somebody else approves, or you withdraw it below", true, { requested_by: "Rita" }],
    ["You approved: somebody else has to as well", true, { agreed: ["rita"] }],
    ["Nothing: somebody who may approve answers it", false, { requested_by: null }],
  ])("a question that this reader cannot answer: %s", (words, answers, change) => {
    const waiting = structuredClone(there.stories.find(({ approval }) => approval?.status === "pending")!);
    Object.assign(waiting.approval!, change);
    const before = waiting.approval!.expires_at;
    expect(asked(waiting, { name: "rita", answers })).toEqual({ you: false, words, before });
  });
});

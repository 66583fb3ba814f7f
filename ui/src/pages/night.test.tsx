// What somebody who was woken sees first: what nobody took up, and whether it is still wrong.
import { screen, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

/** An incident in people's hands, of a series that its host reads. */
function escalated(there: World) {
  const story = there.stories.find(({ incident }) => incident.outcome === "rolled_back");
  const host = there.estate.find(({ agent_id }) => agent_id === story?.agent_id);
  if (!story || !host) throw new Error("the mock has no remedy that was undone on a host");
  story.care.needs_people = true;
  return { story, host };
}

describe("the overview", () => {
  test("lists what ended without a remedy that worked, until somebody takes it up", async () => {
    const there = new World();
    const { story } = escalated(there);
    visit("/", there);
    const left = await screen.findByRole("region", { name: "Nobody has taken these up" });
    const links = within(left).getAllByRole("link").map((link) => link.getAttribute("href"));
    expect(links).toContain(`/incidents/${story.incident.id}`);
  });

  test("says nothing of it where everything was taken up", async () => {
    const there = new World();
    escalated(there).story.care.acknowledged_by = "rita@local";
    visit("/", there);
    await screen.findByText("Awaiting approval");
    expect(screen.queryByRole("region", { name: "Nobody has taken these up" })).toBeNull();
  });
});

describe("in short, an incident", () => {
  const shown = async (change: (found: ReturnType<typeof escalated>) => void) => {
    const there = new World();
    const found = escalated(there);
    Object.assign(found.story.anomaly, { metric: "service.healthy", subject: "checkout" });
    found.host.metrics["service.healthy[checkout]"] = 1;
    Object.assign(found.host, { silent: false, quarantined: "" });
    change(found);
    visit(`/incidents/${found.story.incident.id}`, there);
    return screen.findByRole("region", { name: "In short" });
  };

  test("says what the host reads now, and leads to the last hour", async () => {
    const brief = await shown(() => {});
    const link = await within(brief).findByRole("link", { name: "the last hour" });
    expect(link.getAttribute("href")).toContain("metric=service.healthy%5Bcheckout%5D");
    expect(brief.textContent).toContain("NowService health checkout is healthy");
  });

  test("does not pass off an old reading as the present one", async () => {
    const brief = await shown(({ host }) => {
      host.silent = true;
    });
    expect(await within(brief).findByText("not known")).toBeTruthy();
    expect(brief.textContent).toContain("was heard last 30 h ago");
    expect(brief.textContent).not.toContain("healthy,");
  });

  test("nor one of a series that its host leaves out", async () => {
    const brief = await shown(({ story, host }) => {
      Object.assign(story.anomaly, { metric: "service.http_ms" });
      host.metrics["service.http_ms[checkout]"] = 3.4;
    });
    expect(await within(brief).findByText("not known")).toBeTruthy();
    expect(brief.textContent).toContain("it was read last 1 h ago");
  });

  test("says nothing of the present where nothing is read", async () => {
    const brief = await shown(({ story }) => {
      Object.assign(story.anomaly, { metric: "alert.firing", subject: "Odd" });
    });
    expect(within(brief).queryByText("Now")).toBeNull();
  });
});

describe("who wrote an entry", () => {
  test("is named once, and an agent by its host", async () => {
    const there = new World();
    const story = there.stories.find(({ timeline }) => timeline.some(({ source }) => source.startsWith("agent:")));
    if (!story) throw new Error("the mock has no entry of an agent");
    const entry = story.timeline.find(({ source }) => source.startsWith("agent:"));
    Object.assign(entry ?? {}, { actor: `agent:${story.agent_id}`, source: `agent:${story.agent_id}` });
    visit(`/incidents/${story.incident.id}`, there);
    const table = await screen.findByRole("region", { name: "Audit timeline" });
    expect(within(table).getAllByText(`agent on ${story.incident.host}`)).toHaveLength(1);
    expect(table.textContent).not.toContain(`agent:${story.agent_id}agent:`);
    expect(within(table).queryByText("cp")).toBeNull();
  });
});

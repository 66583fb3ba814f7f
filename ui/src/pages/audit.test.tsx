// One entry of the log: what it keeps beside the log, and erasing that for good.
import { screen, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

/** The first entry that keeps a content, of an incident that is over; its digest. */
function contentIn(there: World): { index: number; sha256: string; begins: string } {
  const over = there.stories.filter((one) => one.incident.status === "CLOSED");
  const index = there.log.leaves.findIndex(
    ({ leaf }) => leaf.kind === "step.done" && over.some((one) => one.incident.id === leaf.incident),
  );
  const sha256 = there.log.proof(index).contents[0]?.sha256 ?? "";
  return { index, sha256, begins: sha256.slice(0, 8) };
}

async function opened(there: World, index: number, begins: string) {
  const { user, asked } = visit(`/audit/proof/${index}`, there);
  await user.click(await screen.findByRole("button", { name: `Erase content ${begins}` }));
  const dialog = await screen.findByRole("dialog", { name: `Erase content ${begins} for good?` });
  return { user, asked, dialog, deed: within(dialog).getByRole("button", { name: "Erase it for good" }) };
}

describe("erasing a content of the log", () => {
  test("takes a reason and how its digest begins, and the proof holds afterwards", async () => {
    const there = new World();
    const { index, sha256, begins } = contentIn(there);
    const { user, asked, dialog, deed } = await opened(there, index, begins);
    await user.type(within(dialog).getByLabelText(/Reason/), "request 17");
    await user.type(within(dialog).getByLabelText(/Type/), begins.slice(0, 7));
    expect(deed.hasAttribute("disabled")).toBe(true);
    await user.type(within(dialog).getByLabelText(/Type/), begins.slice(7));
    await user.click(deed);
    const told = await screen.findByText(`Content ${begins} was erased`);
    expect(document.activeElement).toBe(told.closest("[role=status]"));
    expect(await screen.findByText("erased on purpose")).toBeTruthy();
    expect(screen.queryByRole("button", { name: `Erase content ${begins}` })).toBeNull();
    expect(screen.getByText("Verified in your browser")).toBeTruthy();
    expect(asked.find(({ method }) => method === "POST")).toMatchObject({
      path: `/audit/entries/${index}/blobs/${sha256}/erase`, body: { reason: "request 17" },
    });
  });

  test("is not done without a reason, and leaving takes back what was typed", async () => {
    const there = new World();
    const { index, begins } = contentIn(there);
    const { user, asked, dialog, deed } = await opened(there, index, begins);
    await user.type(within(dialog).getByLabelText(/Type/), begins);
    await user.type(within(dialog).getByLabelText(/Reason/), "  ");
    expect(deed.hasAttribute("disabled")).toBe(true);
    await user.click(within(dialog).getByRole("button", { name: "Cancel" }));
    await user.click(screen.getByRole("button", { name: `Erase content ${begins}` }));
    const again = await screen.findByRole("dialog");
    expect(within(again).getByLabelText<HTMLInputElement>(/Type/).value).toBe("");
    expect(asked.some(({ method }) => method === "POST")).toBe(false);
  });

  test("asks for a second factor that is not fresh, and goes on", async () => {
    const there = new World();
    there.stale = true;
    const { index, begins } = contentIn(there);
    const { user, dialog, deed } = await opened(there, index, begins);
    await user.type(within(dialog).getByLabelText(/Reason/), "request 17");
    await user.type(within(dialog).getByLabelText(/Type/), begins);
    await user.click(deed);
    const ask = await screen.findByRole("dialog", { name: "Show that it is you" });
    await user.type(within(ask).getByLabelText(/code/i), "123456");
    await user.click(within(ask).getByRole("button", { name: /Go on|Confirm|Sign in|Show/ }));
    expect(await screen.findByText(`Content ${begins} was erased`)).toBeTruthy();
  });

  test("is not offered to who manages accounts in one environment alone", async () => {
    const there = new World();
    there.me.permissions = { production: ["view", "manage_users"], staging: ["view"] };
    const { index } = contentIn(there);
    visit(`/audit/proof/${index}`, there);
    expect(await screen.findByText("kept")).toBeTruthy();
    expect(screen.queryByRole("button", { name: /Erase/ })).toBeNull();
  });

  test("is refused while an incident may rest on it, and the dialog says so", async () => {
    const there = new World();
    const { index, begins } = contentIn(there);
    const own = there.log.entry(index).incident;
    const story = there.stories.find((one) => one.incident.id === own);
    if (story) story.incident.status = "VERIFYING";
    const { user, dialog, deed } = await opened(there, index, begins);
    await user.type(within(dialog).getByLabelText(/Reason/), "request 17");
    await user.type(within(dialog).getByLabelText(/Type/), begins);
    await user.click(deed);
    expect((await within(dialog).findByRole("alert")).textContent).toContain("is not over");
  });

  test("an entry without contents says nothing of them", async () => {
    visit("/audit/proof/0");
    expect(await screen.findByText("Verified in your browser")).toBeTruthy();
    expect(screen.queryByText("Kept beside the log")).toBeNull();
  });
});

// The editor of playbooks: begin, mend, save, prove, hand out and back, over the mock.
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";
import { World } from "../../../mock-api/world";
import { visit } from "../../testing/visit";

const NAME = "disk_cleanup_prod_db";
const EDIT = `/playbooks/${NAME}/edit`;
const area = async () => (await screen.findByLabelText("playbook.yaml")) as HTMLTextAreaElement;

async function begun() {
  const there = visit(EDIT);
  await there.user.click(await screen.findByRole("button", { name: "Begin from 1.4.2" }));
  return { ...there, box: await area() };
}

function file(content: string): File {
  const made = new File([content], "trust.json", { type: "application/json" });
  made.text = () => Promise.resolve(content); // jsdom has none
  return made;
}

describe("the editor of playbooks", () => {
  test("leads from the page of a playbook to a version in force", async () => {
    const { user, asked, box } = await begun();
    expect(screen.getByText(/1 error to mend/)).toBeTruthy();
    const findings = screen.getByRole("list", { name: "Findings" });
    expect(findings.textContent).toContain("expected a version that is not listed yet");
    await user.click(within(findings).getByRole("button", { name: "line 2" }));
    expect(box.value.slice(box.selectionStart, box.selectionEnd)).toBe("version: 1.4.2");
    expect(document.activeElement).toBe(box);

    fireEvent.change(box, { target: { value: box.value.replace("1.4.2", "1.5.0") } });
    expect(screen.getByText(/save it to go on/)).toBeTruthy();
    fireEvent.keyDown(document, { key: "s", ctrlKey: true });
    expect(await screen.findByText(/it can be signed; nothing shows yet that it heals/)).toBeTruthy();
    expect(screen.getByLabelText("Changed lines").textContent).toContain("+ version: 1.5.0");
    const put = asked.find(({ method }) => method === "PUT")?.body as Record<string, unknown>;
    expect(put["revision"]).toBe(1);

    await user.click(screen.getByRole("button", { name: "Prove it" }));
    expect(await screen.findByText("3 of 3 hold")).toBeTruthy();
    expect(screen.getByText(/ready for the signers/)).toBeTruthy();

    URL.createObjectURL = vi.fn(() => "blob:made");
    URL.revokeObjectURL = vi.fn();
    await user.click(screen.getByRole("button", { name: "Download what is to be signed" }));
    await waitFor(() => expect(URL.createObjectURL).toHaveBeenCalledTimes(1));
    expect(screen.getByText(`sentienguard trust sign trust-${NAME}-1.5.0.json --key signer-1.pem`)).toBeTruthy();

    await user.upload(screen.getByLabelText("The file with the signatures"), file('{"v":1}'));
    await user.click(screen.getByRole("button", { name: "Take it over" }));
    expect(await screen.findByText(/It counts from now on/)).toBeTruthy();
    expect(screen.getByRole("link", { name: `Show ${NAME} 1.5.0 and what changed` })).toBeTruthy();
    expect((await area()).readOnly).toBe(true);
    expect(screen.queryByRole("button", { name: "Take it over" })).toBeNull();
  });

  test("shows why a file was not taken, and keeps the draft open", async () => {
    const { user } = await begun();
    await user.upload(screen.getByLabelText("The file with the signatures"), file('{"forged":true}'));
    await user.click(screen.getByRole("button", { name: "Take it over" }));
    expect((await screen.findByRole("alert")).textContent).toContain("0 of 1 trusted keys signed it");
    await user.upload(screen.getByLabelText("The file with the signatures"), file("no json"));
    await user.click(screen.getByRole("button", { name: "Take it over" }));
    expect((await screen.findByText("This is no trust file"))).toBeTruthy();
    expect(screen.getByRole("button", { name: "Drop this draft" })).toBeTruthy();
  });

  test("another person's change is shown and nothing is written over", async () => {
    const { user, world, box } = await begun();
    fireEvent.change(box, { target: { value: `${box.value}# mine\n` } });
    world.drafts = world.drafts.map((one) => ({ ...one, revision: 2, changed_by: "bert@local", yaml: "name: theirs\n" }));
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("bert@local changed this draft meanwhile")).toBeTruthy();
    expect(box.value).toContain("# mine");
    await user.click(screen.getByRole("button", { name: "Show theirs, drop mine" }));
    expect(box.value).toBe("name: theirs\n");
  });

  test("a dropped draft is asked about first, and the next one begins anew", async () => {
    const { user } = await begun();
    await user.click(screen.getByRole("button", { name: "Drop this draft" }));
    await user.click(await screen.findByRole("button", { name: "Drop it" }));
    expect(await screen.findByRole("button", { name: "Begin from 1.4.2" })).toBeTruthy();
    expect(screen.getByRole("region", { name: "Earlier drafts" }).textContent).toContain("dropped");
  });

  test("who may not is told who may, and no page offers it", async () => {
    const there = new World();
    there.me.permissions = { "*": ["view", "run_playbook"] };
    const { asked } = visit(EDIT, there);
    expect(await screen.findByText("Administrators edit playbooks")).toBeTruthy();
    expect(asked.some(({ path }) => path.startsWith("/playbook-drafts"))).toBe(false);
  });

  test("the page of a playbook says what is known of each version, and who says so", async () => {
    visit(`/playbooks/${NAME}`);
    const table = await screen.findByRole("region", { name: "Listed versions" });
    expect(table.textContent).toContain("disk-full: 20 of 20 verified signed record");
    expect(table.textContent).toContain("whose tests prove it on a pretended host not signed");
    expect(table.textContent).toContain("8 of 9 hold");
    expect(table.textContent).toContain("no signed record of drills");
    expect(screen.getByRole("link", { name: "Edit a new version" })).toBeTruthy();
  });
});

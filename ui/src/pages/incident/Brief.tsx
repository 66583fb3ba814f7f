// The answer to three questions of somebody who was woken: what is it, what was done, what do I do?
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMay } from "../../api/access";
import { host as oneHost, me } from "../../api/queries";
import type { Approval, Story } from "../../api/types";
import { claim, duration, plural } from "../../format";
import { Card } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

export function Brief({ story }: { story: Story }) {
  const { incident } = story;
  const name = useQuery(me).data?.name ?? "";
  const answers = useMay("decide_approval", incident.environment);
  const wanted = asked(story, { name, answers });
  return (
    <Card
      title="In short"
      aside={(wanted.you || wanted.before !== undefined) && <Tag tone="warn">waits for people</Tag>}
    >
      <dl className="brief">
        <dt>Seen</dt>
        <dd>
          <Time at={incident.opened_at} relative />
          {incident.closed_at !== null && incident.duration_s !== null &&
            <>, closed after {duration(incident.duration_s)}</>}
          {incident.earlier.length > 0 && <>; {plural(incident.earlier.length, "time")} before</>}
        </dd>
        <Present story={story} />
        <dt>Done</dt>
        <dd>{done(story)}</dd>
        <dt>For you</dt>
        <dd data-you={wanted.you}>
          {wanted.words}
          {wanted.before !== undefined && <>, before <Time at={wanted.before} />.</>}
        </dd>
      </dl>
    </Card>
  );
}

/** What the host reads at this moment: is it still wrong? */
function Present({ story: { agent_id, anomaly } }: { story: Story }) {
  const host = useQuery(oneHost(agent_id)).data;
  const { metric, subject } = anomaly;
  const key = subject === "" ? metric : `${metric}[${subject}]`;
  const value = host?.metrics[key];
  if (host === undefined || host.struck_off !== null || value === undefined) return null;
  const stopped = host.stopped.find((one) => one.metric === metric && one.subject === subject);
  const since = host.silent ? host.last_seen : stopped?.last_at;
  return (
    <>
      <dt>Now</dt>
      <dd>
        {since != null ? (
          <>
            <Tag tone="warn">not known</Tag>{" "}
            {host.silent ? `${host.host} was heard last` : "it was read last"}{" "}
            <Time at={since} relative />
          </>
        ) : (
          claim(metric, subject, value)
        )}
        {", "}
        <Link
          to="/hosts/$agent"
          params={{ agent: agent_id }}
          search={{ metric: key, minutes: "60" }}
        >
          the last hour
        </Link>
      </dd>
    </>
  );
}

/** What was done about it, in a sentence. */
export function done({ incident, decision, order, approval }: Story): string {
  const name = decision?.playbook ?? "the playbook";
  if (approval?.status === "pending") return `Nothing yet: ${approval.playbook} waits for a yes.`;
  if (order === null) {
    if (incident.status !== "CLOSED") return "Nothing yet: evidence is gathered and weighed.";
    return decision === null ? "Nothing: it ended before a decision." : "Nothing was run.";
  }
  if (order.status === "refused") return `Nothing was changed: the host refused ${name}.`;
  if (order.status === "withdrawn") return "Nothing was run: the order was withdrawn.";
  if (order.outcome === null) return `${name} runs on the host now.`;
  if (order.dry_run) return `${name} was only tried: nothing was changed.`;
  const ran = order.steps.filter(({ phase, status }) => phase === "step" && status === "success");
  const steps = plural(ran.length, "step");
  if (order.left_behind.length > 0) {
    return `${name} ran ${steps} and failed. Not undone: ${order.left_behind.join(", ")}.`;
  }
  switch (order.outcome) {
    case "SUCCESS":
      return `${name} ran, and it was verified that it helped.`;
    case "SUCCESS_NO_ACTION":
      return `${name} found nothing to do.`;
    case "ROLLED_BACK":
      return `${name} ran ${steps}, it did not help, and all of it was undone.`;
    default:
      return `${name} ended as ${order.outcome.toLowerCase().replaceAll("_", " ")}.`;
  }
}

/** Who reads, and whether they may answer questions where the incident is. */
type Reader = { name: string; answers: boolean };

/** The same of a question that waits: nobody answers what they asked for, nor answers twice. */
function answer(approval: Approval, { name, answers }: Reader): { you: boolean; words: string } {
  const is = (one: string | null) => one !== null && one.toLowerCase() === name.toLowerCase();
  if (!answers) return { you: false, words: "Nothing: somebody who may approve answers it" };
  if (is(approval.requested_by)) {
    return { you: false, words: "You asked for it: somebody else approves, or you withdraw it below" };
  }
  if (approval.agreed.some(is)) {
    return { you: false, words: "You approved: somebody else has to as well" };
  }
  return { you: true, words: "Approve or deny it below" };
}

/** What is asked of people now; `you` where somebody has to do something, `before` a moment. */
export function asked(
  story: Story,
  reader: Reader,
): { you: boolean; words: string; before?: string } {
  const { incident, approval, care, order } = story;
  if (approval?.status === "pending") {
    return { ...answer(approval, reader), before: approval.expires_at };
  }
  if (care.settled_by !== null) return { you: false, words: `Nothing: ${care.settled_by} closed it.` };
  if (care.reopened_as !== null) return { you: false, words: "Nothing here: it goes on as a new one." };
  if (care.acknowledged_by !== null) {
    return { you: false, words: `Nothing: ${care.acknowledged_by} looks after it.` };
  }
  if (care.needs_people) {
    const first = order !== null && order.left_behind.length > 0
      ? "Look first at what was not undone."
      : "Look whether it is still wrong.";
    return { you: true, words: `${first} Acknowledge it, repair it, then close it by hand.` };
  }
  if (incident.status !== "CLOSED") return { you: false, words: "Nothing now: it is worked on." };
  return { you: false, words: "Nothing." };
}

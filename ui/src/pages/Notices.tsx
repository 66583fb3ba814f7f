// How people hear of incidents: the channels of the owner's file, and what became of each message.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { channels, notices } from "../api/queries";
import type { Channel, Notice } from "../api/types";
import { useAnchor } from "../parts/anchor";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { NoticeTag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/notices");

const KINDS: Record<string, string> = {
  slack: "Slack",
  pagerduty: "PagerDuty",
  email: "Mail",
  webhook: "Webhook",
  teams: "Microsoft Teams",
  mattermost: "Mattermost",
  jira: "Jira",
};

export default function Notices() {
  const sees = useMay("change_settings");
  return (
    <Page title="Notices">
      {sees ? (
        <>
          <Channels />
          <Messages />
        </>
      ) : (
        <Empty title="Channels are an administrator's to see">
          What people are told about an incident stands in its own story.
        </Empty>
      )}
    </Page>
  );
}

function Channels() {
  return (
    <Loaded query={useQuery(channels)}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="Nobody is told of anything">
            Channels and routes stand in <code>notices.yaml</code> in the control plane's directory:
            chat, paging, mail, tickets or webhooks. It is read at the start.
          </Empty>
        ) : (
          <Card title="Channels">
            <Table stacks label="Configured channels" head={["Channel", "Service", ""]}>
              {items.map((one) => <OneChannel key={one.name} of={one} />)}
            </Table>
          </Card>
        )
      }
    </Loaded>
  );
}

function OneChannel({ of }: { of: Channel }) {
  const trial = useMutation({
    mutationFn: () => request<void>("POST", `/notices/channels/${encodeURIComponent(of.name)}/test`),
  });
  return (
    <tr>
      <td className="strong">{of.name}</td>
      <td>{KINDS[of.kind] ?? of.kind}</td>
      <td className="wide">
        <div className="row">
          <Button
            size="xs"
            variant="default"
            loading={trial.isPending}
            aria-label={`Send a test message to ${of.name}`}
            onClick={() => trial.mutate()}
          >
            Send a test
          </Button>
          {trial.isSuccess && <span role="status">The service took it.</span>}
        </div>
        {trial.error && <Failure error={trial.error} />}
      </td>
    </tr>
  );
}

function Messages() {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  return (
    <Loaded query={useQuery(notices)}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="No message yet">
            The first incident that a route is for makes one. What was before the first start with
            channels is told to nobody.
          </Empty>
        ) : (
          <Card title="Messages">
            <TextInput
              type="search"
              label="Search the newest messages"
              placeholder="channel, incident, status or words"
              value={text}
              onChange={(event) => {
                const value = event.currentTarget.value;
                void navigate({ search: value === "" ? {} : { text: value }, replace: true });
              }}
            />
            <Listed rows={items.filter((one) => matches(one, words))} />
          </Card>
        )
      }
    </Loaded>
  );
}

function matches(one: Notice, words: string): boolean {
  const said = [one.channel, one.incident, one.kind, one.title, one.status, one.problem];
  return said.join(" ").toLowerCase().includes(words);
}

function Listed({ rows }: { rows: Notice[] }) {
  const chosen = useAnchor();
  if (rows.length === 0) return <Empty title="No message matches" />;
  return (
    <Table stacks label="Newest messages" head={["Made", "Message", "Channel", "State"]}>
      {rows.map((one) => (
        <tr key={one.id} id={`notice-${one.id}`} data-chosen={chosen === `notice-${one.id}`}>
          <td>
            <Time at={one.made_at} relative />
            <div className="dim">
              <Link to="/notices" search={(old) => old} hash={`notice-${one.id}`}>its own address</Link>
            </div>
          </td>
          <td className="wide">
            {one.incident === "" ? (
              one.title
            ) : (
              <Link to="/incidents/$id" params={{ id: one.incident }}>{one.title}</Link>
            )}
            <div className="dim">
              {one.kind}
              {one.only_if_unanswered && ", only if nobody has it in hand"}
            </div>
          </td>
          <td data-name="to">{one.channel}</td>
          <td>
            <NoticeTag of={one.status} />
            {one.status === "waiting" && <div className="dim">due <Time at={one.due_at} relative /></div>}
            {one.attempts > 1 && <div className="dim">tried {one.attempts} times</div>}
            {one.problem !== "" && <div className="dim path">{one.problem}</div>}
          </td>
        </tr>
      ))}
    </Table>
  );
}

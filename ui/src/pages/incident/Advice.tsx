import { useState } from "react";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { advice as inFull } from "../../api/queries";
import type { Advice as Opinion, Story } from "../../api/types";
import { Loaded } from "../../parts/Loaded";
import { Card, Facts } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

/** What an adviser thinks of it, with the weight that it had. Its texts are a model's: shown as text. */
export function Advice({ story }: { story: Story }) {
  const { advice } = story;
  if (advice === null || advice === undefined) return null;
  return (
    <Card
      id="advice"
      title="Adviser"
      aside={<Tag tone="quiet">{advice.given ? "opinion" : "no opinion"}</Tag>}
    >
      <p className="dim">{advice.standing}</p>
      {advice.given ? <Said advice={advice} /> : <p>{advice.absent}</p>}
      <Facts
        of={[
          ["Model", advice.model],
          ["Asked", <Time key="asked" at={advice.asked_at} />],
          ["Took", `${(advice.took_ms / 1000).toFixed(1)} s, ${advice.turns} turns`],
          ["Tokens", `${advice.tokens_in} sent, ${advice.tokens_out} written`],
          ["Cost", advice.dollars > 0 ? `$${advice.dollars.toFixed(4)}` : "not counted"],
        ]}
      />
      {advice.asked_back.length > 0 && (
        <ul className="checks" aria-label="What it asked back">
          {advice.asked_back.map((asked, at) => <li key={at}><code>{asked}</code></li>)}
        </ul>
      )}
      <Exchanges id={story.incident.id} />
    </Card>
  );
}

function Said({ advice }: { advice: Opinion }) {
  return (
    <>
      <p><strong>{advice.hypothesis}</strong></p>
      <div className="note">{advice.reasoning}</div>
      <p>
        Of {advice.offered.length} actions that match it names{" "}
        {advice.choice === null ? "none" : <code>{advice.choice}</code>}.
      </p>
    </>
  );
}

/** The exact prompts and answers, which are long, so only for who asks. */
function Exchanges({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  const query = useQuery({ ...inFull(id), enabled: open });
  if (!open) {
    return (
      <div className="row">
        <Button size="xs" variant="default" onClick={() => setOpen(true)}>
          Show the exact prompt and answer
        </Button>
      </div>
    );
  }
  return (
    <Loaded query={query}>
      {({ exchanges }) => (
        <>
          {exchanges.map((one, at) => (
            <div key={at} className="stack">
              {one.failed !== "" && <p>{one.failed}</p>}
              <pre className="output wrap" tabIndex={0} aria-label={`Sent ${at + 1}`}>{one.sent}</pre>
              <pre className="output wrap" tabIndex={0} aria-label={`Heard ${at + 1}`}>{one.heard}</pre>
            </div>
          ))}
        </>
      )}
    </Loaded>
  );
}

// Questions about incidents, answered from the record: each sentence names the entries it rests on.
import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Fragment, useEffect, useState } from "react";
import { answer } from "../api/queries";
import type { Answer } from "../api/types";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Page } from "../parts/Page";

const route = getRouteApi("/inside/questions");
const OFFERED = [
  "What happened?",
  "What changed before?",
  "Why this playbook?",
  "Why did it not run alone?",
  "How sure was it?",
  "What was tried?",
  "Did this happen before?",
  "Who approved it?",
  "Is it safe now?",
  "Who has it in hand?",
];

export default function Questions() {
  const { text = "", incident = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const ask = (what: string, about: string) =>
    void navigate({
      search: { ...(what ? { text: what } : {}), ...(about ? { incident: about } : {}) },
    });
  return (
    <Page title="Questions">
      <p>
        Answers are sentences of the record. For the questions below no language model is asked;
        for others an adviser, where there is one, chooses among the record's sentences. Without an
        incident the newest one that you may see is meant.
      </p>
      <Form key={`${text} ${incident}`} text={text} incident={incident} ask={ask} />
      <div className="row tabs" role="group" aria-label="Questions that can be answered">
        {OFFERED.map((one) => (
          <Link
            key={one}
            to="/questions"
            search={{ text: one, ...(incident ? { incident } : {}) }}
            {...(one === text ? { "aria-current": "true" as const } : {})}
          >
            {one}
          </Link>
        ))}
      </div>
      {text === "" ? (
        <Empty title="Nothing asked yet">
          Choose a question above, or write one. The answer has an address of its own that can be
          passed on.
        </Empty>
      ) : (
        <Answered text={text} incident={incident} />
      )}
    </Page>
  );
}

function Form({ text, incident, ask }: {
  text: string;
  incident: string;
  ask: (text: string, incident: string) => void;
}) {
  const [what, setWhat] = useState(text);
  const [about, setAbout] = useState(incident);
  return (
    <form
      className="row filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        ask(what.trim(), about.trim());
      }}
    >
      <TextInput
        className="grow"
        label="Question"
        maxLength={500}
        value={what}
        onChange={(event) => setWhat(event.currentTarget.value)}
      />
      <TextInput
        label="Incident"
        placeholder="the newest"
        maxLength={64}
        value={about}
        onChange={(event) => setAbout(event.currentTarget.value)}
      />
      <Button type="submit" disabled={what.trim() === ""}>Ask</Button>
    </form>
  );
}

function Answered({ text, incident }: { text: string; incident: string }) {
  const query = useQuery(answer(text, incident));
  return (
    <div aria-live="polite">
      <Loaded query={query}>{(found) => <Said of={found} text={text} />}</Loaded>
    </div>
  );
}

function Said({ of, text }: { of: Answer; text: string }) {
  useEffect(() => {
    document.title = `${text} · SentienGuard`;
  }, [text]);
  return (
    <Card
      title={text}
      aside={of.about && (
        <Link to="/incidents/$id" params={{ id: of.about }}>{of.about}</Link>
      )}
    >
      {of.sentences.map((one, at) => (
        <p key={at} className="claim">
          {one.text}{" "}
          {one.entries.map((entry) => (
            <Fragment key={entry}>
              <Link
                to="/audit/proof/$index"
                params={{ index: String(entry) }}
                aria-label={`entry ${entry} of the log`}
              >
                [{entry}]
              </Link>{" "}
            </Fragment>
          ))}
        </p>
      ))}
      {of.pointed_by !== "" && (
        <p className="dim">
          Chosen by {of.pointed_by}; the sentences are the record's own, and who asked is recorded.
        </p>
      )}
      {of.known.length > 0 && (
        <>
          <p className="dim">These can be answered; name an incident or leave it out:</p>
          <ul>{of.known.map((one) => <li key={one}>{one}</li>)}</ul>
        </>
      )}
    </Card>
  );
}

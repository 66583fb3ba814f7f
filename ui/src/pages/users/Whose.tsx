// Whose a pseudonym of the log is, and what stands in the log for a name.
import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { whose } from "../../api/queries";
import type { Whose as Found } from "../../api/types";
import { Loaded } from "../../parts/Loaded";
import { Card, Facts } from "../../parts/Page";

export function Whose() {
  const [typed, setTyped] = useState("");
  const [who, setWho] = useState("");
  return (
    <Card title="Who is this?">
      <p className="dim">
        A copy of the log and a package of evidence call people by pseudonyms.
      </p>
      <form
        className="row filters"
        onSubmit={(event) => {
          event.preventDefault();
          setWho(typed.trim());
        }}
      >
        <TextInput
          label="Pseudonym or name"
          placeholder="person_5f0c…"
          autoComplete="off"
          required
          maxLength={254}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Button type="submit">Look it up</Button>
      </form>
      {who !== "" && <Answer who={who} />}
    </Card>
  );
}

function Answer({ who }: { who: string }) {
  return (
    <Loaded query={useQuery(whose(who))}>
      {(found: Found) => (
        <Facts
          of={[
            ["Name", found.name || "nobody's here, or of somebody who was forgotten"],
            ["In the log", found.pseudonym === "" ? "–" : <code key="log">{found.pseudonym}</code>],
            [
              "Where the name was only claimed",
              found.as_stranger === "" ? "–" : <code key="claimed">{found.as_stranger}</code>,
            ],
          ]}
        />
      )}
    </Loaded>
  );
}

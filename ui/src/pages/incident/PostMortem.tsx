// The draft of a post-mortem, written from the log; here to read and to take away.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { postMortem } from "../../api/queries";
import type { Story } from "../../api/types";
import { Loaded } from "../../parts/Loaded";
import { Card } from "../../parts/Page";

export function PostMortem({ story }: { story: Story }) {
  const { id } = story.incident;
  const [wanted, setWanted] = useState(false);
  const query = useQuery({ ...postMortem(id), enabled: wanted });
  return (
    <Card
      id="post-mortem"
      title="Post-mortem"
      aside={query.data !== undefined && <Save text={query.data} name={`${id}.md`} />}
    >
      {wanted ? (
        <Loaded query={query}>
          {(text) => (
            <pre className="output wrap" tabIndex={0} aria-label="Draft of the post-mortem">{text}</pre>
          )}
        </Loaded>
      ) : (
        <div className="row">
          <Button size="xs" variant="default" onClick={() => setWanted(true)}>
            Show the draft
          </Button>
          <span className="dim">
            Markdown, written from the log: each sentence leads to its entry. What was learned is
            for people to add.
          </span>
        </div>
      )}
    </Card>
  );
}

function Save({ text, name }: { text: string; name: string }) {
  const save = () => {
    const made = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
    const link = document.createElement("a");
    link.href = made;
    link.download = name;
    link.click();
    URL.revokeObjectURL(made);
  };
  return <Button size="xs" variant="default" onClick={save}>Save as {name}</Button>;
}

// What an entry keeps beside the log, and erasing it: the beginning of its digest has to be typed.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useMayEverywhere } from "../../api/access";
import { request } from "../../api/client";
import { proof } from "../../api/queries";
import type { BlobErased, Content } from "../../api/types";
import { bytes } from "../../format";
import { ForGood } from "../../parts/ForGood";
import { Card } from "../../parts/Page";
import { Tag } from "../../parts/Tag";

const STATES = {
  kept: ["good", "kept"],
  erased: ["quiet", "erased on purpose"],
  missing: ["warn", "never came here"],
  unreadable: ["bad", "cannot be read"],
} as const;

export function Contents({ index, of }: { index: number; of: Content[] }) {
  const [gone, setGone] = useState("");
  if (of.length === 0) return null;
  return (
    <Card title="Kept beside the log">
      <p className="dim">
        Too long for the log, or not for everybody: such as a step's output. The entry names digest
        and length, and the proof holds for these whether the content is there or not.
      </p>
      {gone !== "" && <Erased sha256={gone} />}
      <ul className="checks">
        {of.map((one) => (
          <li key={one.sha256}>
            <div className="row">
              <Tag tone={STATES[one.state][0]}>{STATES[one.state][1]}</Tag>
              <span className="grow path">{one.type}, {bytes(one.length)}</span>
              {one.state !== "erased" && one.state !== "missing" && (
                <Erase index={index} sha256={one.sha256} onErased={setGone} />
              )}
            </div>
            <code className="hash">{one.sha256}</code>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** It reaches every environment, as one content may be of several entries: else no button. */
function Erase({ index, sha256, onErased }: {
  index: number;
  sha256: string;
  onErased: (sha256: string) => void;
}) {
  const allowed = useMayEverywhere("manage_users");
  const begins = sha256.slice(0, 8);
  const queries = useQueryClient();
  if (!allowed) return null;
  return (
    <ForGood
      verb="Erase"
      what={`content ${begins}`}
      title={`Erase content ${begins} for good?`}
      keeps="Backups and packages of evidence keep theirs."
      reasonHint="It goes into the audit log, so without what the content says: the number of the request."
      word={begins}
      wordHint="How its digest begins."
      deed="Erase it for good"
      ask={(reason) =>
        request<BlobErased>("POST", `/audit/entries/${index}/blobs/${sha256}/erase`, { reason })}
      onDone={() => {
        onErased(sha256);
        void queries.invalidateQueries({ queryKey: proof(index).queryKey });
        void queries.invalidateQueries({ queryKey: ["audit"] });
      }}
    >
      The key of this content is destroyed, for every entry that names the same content. The entry
      stays, digest and length stay proven, and the log remembers who erased it and why. A decision
      that rests on it cannot be replayed any more.
    </ForGood>
  );
}

function Erased({ sha256 }: { sha256: string }) {
  const place = useRef<HTMLParagraphElement>(null);
  useEffect(() => place.current?.focus(), [sha256]);
  return (
    <p ref={place} tabIndex={-1} role="status">
      <Tag tone="good">done</Tag> <strong>Content {sha256.slice(0, 8)} was erased</strong>; the proof
      of the entry still holds.
    </p>
  );
}

// A button for what cannot be taken back, behind a dialog: a reason, and a word to type.
import { Button, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Dialog } from "./Dialog";
import { Failure } from "./Loaded";

export function ForGood<Done>({
  verb, what, title, children, keeps, reasonHint, word, wordHint, deed, ask, onDone,
}: {
  verb: string; // on the button that opens the dialog
  what: string; // that it is about, for who hears the page
  title: string;
  children: ReactNode; // what happens
  keeps?: string; // what stays all the same
  reasonHint: string;
  word: string; // to type
  wordHint?: string;
  deed: string; // on the button that does it
  ask: (reason: string) => Promise<Done>;
  onDone: (done: Done) => void;
}) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const asked = useMutation({
    mutationFn: () => ask(reason.trim()),
    onSuccess: (done) => {
      close();
      onDone(done);
    },
  });
  const close = () => {
    setOpen(false);
    setReason("");
    setTyped("");
    asked.reset();
  };
  return (
    <>
      <Button
        size="xs"
        color="red"
        variant="outline"
        aria-label={`${verb} ${what}`}
        onClick={() => setOpen(true)}
      >
        {verb}
      </Button>
      <Dialog open={open} onClose={close} title={title}>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            asked.mutate();
          }}
        >
          <p>{children}</p>
          <p><strong>Nothing takes this back.</strong>{keeps && ` ${keeps}`}</p>
          <TextInput
            label="Reason"
            description={reasonHint}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={300}
            required
            autoFocus
          />
          <TextInput
            label={`Type ${word} to confirm`}
            description={wordHint}
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            required
          />
          {asked.error && <Failure error={asked.error} />}
          <div className="row end">
            <Button variant="default" onClick={close}>Cancel</Button>
            <Button
              type="submit"
              color="red"
              loading={asked.isPending}
              disabled={reason.trim() === "" || typed.trim() !== word}
            >
              {deed}
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}

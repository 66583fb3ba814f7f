// Fields that narrow a list. What they say stands in the address; here is only what is being typed.
import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState, type Ref } from "react";

export const TYPING_MS = 250; // a pause in typing that starts the search

/** A text that is searched for when somebody stops typing. */
export function Typed({ label, value, set, placeholder, type = "text", field, wide = false }: {
  label: string;
  value: string | undefined;
  set: (value: string) => void;
  placeholder?: string;
  type?: "search" | "text" | "number";
  field?: Ref<HTMLInputElement>;
  wide?: boolean;
}) {
  const [text, setText] = useState(value ?? "");
  const search = useDebouncedCallback((typed: string) => set(typed), TYPING_MS);
  useEffect(() => setText(value ?? ""), [value]);
  return (
    <TextInput
      {...(field ? { ref: field } : {})}
      label={label}
      type={type}
      {...(type === "number" ? { min: 0 } : {})}
      {...(placeholder === undefined ? {} : { placeholder })}
      {...(wide ? { className: "grow" } : {})}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        search(event.currentTarget.value.trim());
      }}
    />
  );
}

/** From when to when, on the viewer's clock; the address has it in UTC, the same for everybody. */
export function Span({ since, until, set, what }: {
  since: string | undefined;
  until: string | undefined;
  set: (change: { since?: string; until?: string }) => void;
  what: string;
}) {
  return (
    <>
      <Moment label={`${what} from`} value={since} set={(value) => set({ since: value })} />
      <Moment label={`${what} before`} value={until} set={(value) => set({ until: value })} />
    </>
  );
}

function Moment({ label, value, set }: {
  label: string;
  value: string | undefined;
  set: (value: string) => void;
}) {
  return (
    <TextInput
      type="datetime-local"
      label={label}
      value={toField(value)}
      onChange={(event) => set(fromField(event.currentTarget.value))}
    />
  );
}

/** A moment as a field of the browser has it: the viewer's clock, without a zone. */
export function toField(at: string | undefined): string {
  const time = at === undefined ? Number.NaN : Date.parse(at);
  if (Number.isNaN(time)) return "";
  const offset = new Date(time).getTimezoneOffset() * 60_000;
  return new Date(time - offset).toISOString().slice(0, 16);
}

export function fromField(said: string): string {
  const time = Date.parse(said); // without a zone: the viewer's
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
}

/** A filter without what says nothing. */
export function narrowed<Filter extends object>(filter: Filter): Filter {
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== "" && value !== undefined),
  ) as Filter;
}

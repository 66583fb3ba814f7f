import { useLayoutEffect, useRef, type ReactNode } from "react";

/** The browser's own modal: focus stays inside, Escape closes it, no style is injected. */
export function Dialog({ open, onClose, title, children }: {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
}) {
  const box = useRef<HTMLDialogElement>(null);
  // Before other effects: closing gives focus back to where it was, and what these focus then stays.
  useLayoutEffect(() => {
    if (open) box.current?.showModal();
    else box.current?.close();
  }, [open]);
  return (
    <dialog ref={box} className="dialog" onClose={onClose} aria-label={title}>
      {open && (
        <div className="stack">
          <h2>{title}</h2>
          {children}
        </div>
      )}
    </dialog>
  );
}

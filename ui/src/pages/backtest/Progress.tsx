import type { Backtest } from "../../api/types";

export function Progress({ of }: { of: Backtest }) {
  return (
    <div className="stack" aria-live="polite">
      <label className="dim" htmlFor={`progress-${of.id}`}>
        {of.doing === "" ? "beginning" : of.doing}
        {of.of > 0 && `, ${of.done} of ${of.of}`}
      </label>
      <progress
        id={`progress-${of.id}`}
        className="progress"
        {...(of.of > 0 ? { value: of.done, max: of.of } : {})}
      />
    </div>
  );
}

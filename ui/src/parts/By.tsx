// Who did something, and who wrote it into the log where that is somebody else.
const SOURCES: Record<string, string> = { cp: "control plane" };

/** `host` is where the agent runs that wrote or asked; its name stands for the id, which is on hover. */
export function By({ actor, source, host }: { actor: string; source: string; host: string }) {
  const agent = source in SOURCES ? actor : source;
  const named = (id: string) => (host !== "" && id === agent ? agentOn(host) : id);
  return (
    <>
      <span title={actor}>{named(actor)}</span>
      {source !== actor && (
        <div className="dim" title={source}>{SOURCES[source] ?? named(source)}</div>
      )}
    </>
  );
}

export const agentOn = (host: string) => `agent on ${host}`;

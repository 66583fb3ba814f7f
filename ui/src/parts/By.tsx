// Who did something, and who wrote it into the log where that is somebody else.
const SOURCES: Record<string, string> = { cp: "control plane" };

/** `agent` is the host's agent, where it is known, so that its name can stand for the id. */
export function By({ actor, source, host }: {
  actor: string;
  source: string;
  host?: { agent_id: string; name: string };
}) {
  const named = (id: string) =>
    host !== undefined && id === `agent:${host.agent_id}` ? `agent on ${host.name}` : id;
  const wrote = SOURCES[source] ?? named(source);
  return (
    <>
      <span title={actor}>{named(actor)}</span>
      {source !== actor && <div className="dim">{wrote}</div>}
    </>
  );
}

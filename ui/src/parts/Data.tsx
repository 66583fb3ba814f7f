/** Free data of an audit entry, shown as text on demand. */
export function Data({ of }: { of: Record<string, unknown> }) {
  if (Object.keys(of).length === 0) return null;
  return (
    <details>
      <summary>show</summary>
      <pre className="output" tabIndex={0}>{JSON.stringify(of, null, 2)}</pre>
    </details>
  );
}

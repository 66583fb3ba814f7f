// Numbers side by side as bars, with a line of words for who does not see them.
const WIDE = 300;
const HIGH = 60;
const FEWEST = 14; // so that one of two is no wall

export type Bar = { name: string; value: number; words: string };

export function Bars({ of, label }: { of: Bar[]; label: string }) {
  const most = Math.max(...of.map(({ value }) => value), 0) || 1;
  const each = WIDE / Math.max(of.length, FEWEST);
  return (
    <svg className="bars" viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line className="plot-grid" x1={0} x2={WIDE} y1={HIGH - 0.5} y2={HIGH - 0.5} />
      {of.map(({ name, value, words }, at) => {
        const height = value === 0 ? 0 : Math.max((value / most) * (HIGH - 4), 1.5);
        return (
          <rect key={name} x={at * each + each * 0.12} width={each * 0.76} y={HIGH - height} height={height}>
            <title>{`${name}: ${words}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}

import type { Calibration } from "../api/types";
import { percent } from "../format";

const SIZE = 320; // of the square, in units of the drawing
const LEFT = 62;
const RIGHT = 24;
const BELOW = 34;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** What was said along, what was seen upwards: honest points lie on the diagonal. */
export function ReliabilityPlot({ bands }: { bands: Calibration["bands"] }) {
  const points = bands.filter((band) => band.count > 0);
  const most = Math.max(...points.map((band) => band.count), 1);
  const x = (share: number) => LEFT + share * SIZE;
  const y = (share: number) => 8 + (1 - share) * SIZE;
  return (
    <figure className="chart">
      <div className="reliability">
        <svg
          viewBox={`0 0 ${LEFT + SIZE + RIGHT} ${SIZE + BELOW + 12}`}
          role="img"
          aria-label={inWords(points)}
        >
          {TICKS.map((tick) => (
            <g key={tick}>
              <line className="plot-grid" x1={x(0)} x2={x(1)} y1={y(tick)} y2={y(tick)} />
              <line className="plot-grid" x1={x(tick)} x2={x(tick)} y1={y(0)} y2={y(1)} />
              <text className="plot-text" x={LEFT - 6} y={y(tick) + 4} textAnchor="end">
                {percent(tick)}
              </text>
              <text className="plot-text" x={x(tick)} y={y(0) + 16} textAnchor="middle">
                {percent(tick)}
              </text>
            </g>
          ))}
          <line className="plot-honest" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
          {points.map((band) => (
            <g key={band.start} data-off={band.off} className="plot-band">
              <line
                x1={x(band.said ?? 0)}
                x2={x(band.said ?? 0)}
                y1={y(band.low ?? 0)}
                y2={y(band.high ?? 1)}
              />
              <circle
                cx={x(band.said ?? 0)}
                cy={y(band.seen ?? 0)}
                r={4 + 6 * Math.sqrt(band.count / most)}
              />
            </g>
          ))}
          <text className="plot-text" x={x(0.5)} y={SIZE + BELOW + 8} textAnchor="middle">
            said
          </text>
          <text className="plot-text" transform={`translate(11 ${y(0.5)}) rotate(-90)`} textAnchor="middle">
            resolved
          </text>
        </svg>
      </div>
      <figcaption>
        <span>Bars: 95 % Wilson interval. Size: how many ran. Dashed: said and seen agree.</span>
      </figcaption>
    </figure>
  );
}

function inWords(points: Calibration["bands"]): string {
  const told = points.map(
    (band) => `said ${percent(band.said)}, seen ${percent(band.seen)} of ${band.count}`,
  );
  return `Reliability: ${told.join("; ")}`;
}

/** The lamp as one sees it from across the room. What it says stands in words beside it. */
export function LampDrawing({ isLit }: { isLit: boolean }) {
  return (
    <svg className={isLit ? "drawing lit" : "drawing"} viewBox="0 0 280 150" aria-hidden="true">
      <defs>
        <radialGradient id="glow">
          <stop offset="0" stopColor="#fff3c4" stopOpacity="0.95" />
          <stop offset="0.35" stopColor="#ffcb52" stopOpacity="0.55" />
          <stop offset="1" stopColor="#ffcb52" stopOpacity="0" />
        </radialGradient>
      </defs>
      <circle className="halo" cx="140" cy="88" r="88" fill="url(#glow)" />
      <path className="cord" d="M140 0v34" />
      <path className="shade" d="M120 34h40l22 34H98z" />
      <rect className="neck" x="128" y="28" width="24" height="10" rx="3" />
      <path className="bulb" d="M112 68h56a28 28 0 0 1-56 0z" />
      <g className="rays">
        <path d="M140 108v18M108 98l-13 13M172 98l13 13M92 76H74M188 76h18" />
      </g>
    </svg>
  );
}

"""What a replay's page looks like beyond the other reports: its pictures are part of it, and scroll in their boxes.

Colours are those of Okabe & Ito (2008), told apart with any colour vision; every mark has a shape of its own besides.
"""

REPLAY_STYLE = """
:root {
  --reign-one: #0072b2; --reign-other: #004a75; --reign-none: #6b7178; --on-reign: #ffffff;
  --shadow: #b9dcf2; --canary: #f0b429; --soak: #009e73; --on-step: #1c1e21;
  --h0: #eef1f4; --h1: #c3d9ea; --h2: #f6b26b; --h3: #d9660f; --h4: #7a2f00;
  --l0: #0072b2; --l1: #d55e00; --l2: #8a5a00; --l3: #007a5a; --l4: #a5437d; --l5: #3b3f8f; --never: #8b9198;
  --grid: #e3e6e9;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --reign-one: #1a6fa8; --reign-other: #0c4a74; --reign-none: #5d636b;
    --shadow: #2f5f80; --canary: #d99a1c; --soak: #12a57c; --on-step: #0c0d0f;
    --h0: #2a3036; --h1: #2f5877; --h2: #a4622a; --h3: #e8833a; --h4: #ffd2a6;
    --l0: #56b4e9; --l1: #f08a4b; --l2: #f0c95a; --l3: #3ccf9f; --l4: #e49cc8; --l5: #a9aef0; --never: #8d949c;
    --grid: #31363c;
  }
  .on.shadow { fill: #e8eaed !important; }
}
section.policy > h2 { font-size: 1.05rem; letter-spacing: 0; text-transform: none; color: var(--ink); }
h3 { font-size: .95rem; margin: 1.4rem 0 .3rem; }
h3 + p { margin-top: 0; }
td.own { font-weight: 700; }
tr.against td { color: var(--faint); } tr.against td.name bdi { font-weight: 400; }
tr.against.first { border-top: 2px solid var(--line); }
.time { display: flex; overflow-x: auto; position: relative; }
.time:focus-visible, summary:focus-visible { outline: 2px solid var(--stable); outline-offset: 2px; }
.time svg { display: block; flex: none; font: 11px/1 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; overflow: hidden; }
.time svg.names { position: sticky; left: 0; background: var(--card); z-index: 1; }
.time text { fill: var(--ink); }
.time text.tick { text-anchor: end; fill: var(--faint); paint-order: stroke;
  stroke: var(--card); stroke-width: 4px; }
.time text.month { fill: var(--faint); }
.time text.under { text-anchor: middle; }
.time text.whose { font-weight: 700; }
.time path.grid { stroke: var(--grid); stroke-width: 1; fill: none; }
.time path.turn { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 2 3; fill: none; opacity: .8; }
.reign.one { fill: var(--reign-one); } .reign.other { fill: var(--reign-other); }
.reign.none { fill: var(--reign-none); }
.time text.on.one, .time text.on.other, .time text.on.none { fill: var(--on-reign); font-weight: 700; }
.step { stroke: var(--card); stroke-width: .6; }
.step.shadow { fill: var(--shadow); } .step.canary { fill: var(--canary); } .step.soak { fill: var(--soak); }
.step.other { fill: var(--never); }
.time text.on.shadow, .time text.on.canary, .time text.on.soak, .time text.on.step { fill: var(--on-step); }
.held { fill: var(--quality); stroke: var(--card); stroke-width: .6; }
.mark { fill: none; stroke-width: 2; stroke: var(--faint); }
.mark.calm { fill: var(--faint); stroke: none; opacity: .55; }
.mark.open { stroke-width: 1.3; }
.mark.watch { fill: var(--watch); stroke: none; }
.mark.drift { fill: var(--drift); stroke: none; }
.mark.back { fill: var(--alarm); stroke: none; }
.mark.quality { stroke: var(--quality); stroke-width: 3; }
.mark.asked { fill: var(--ink); stroke: none; }
.mark.stable { stroke: var(--soak); stroke-width: 3; }
.mark.rolled, .mark.rejected { stroke: var(--alarm); stroke-width: 2.6; }
.mark.trained { fill: var(--reign-one); stroke: var(--reign-one); stroke-width: 1; }
.mark.short { stroke: var(--reign-one); stroke-width: 1.4; }
.broken rect { fill: none; stroke: var(--alarm); stroke-width: 1.3; }
.time .broken text { fill: var(--alarm); font-weight: 600; }
.line { fill: none; stroke-width: 1.4; stroke-linejoin: round; stroke-linecap: round; }
.line.own { stroke-width: 3; }
.line.l0 { stroke: var(--l0); } .line.l1 { stroke: var(--l1); } .line.l2 { stroke: var(--l2); stroke-dasharray: 6 3; }
.line.l3 { stroke: var(--l3); stroke-dasharray: 2 3; } .line.l4 { stroke: var(--l4); stroke-dasharray: 8 3 2 3; }
.line.l5 { stroke: var(--l5); stroke-dasharray: 10 4; } .line.l6 { stroke: var(--l0); stroke-dasharray: 3 3; }
.line.l7 { stroke: var(--l1); stroke-dasharray: 3 3; } .line.never { stroke: var(--never); stroke-width: 1.8; }
.point { fill: none; pointer-events: all; } .point:hover { fill: var(--ink); fill-opacity: .08; }
.h0 { fill: var(--h0); } .h1 { fill: var(--h1); } .h2 { fill: var(--h2); }
.h3 { fill: var(--h3); } .h4 { fill: var(--h4); }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .82rem;
  color: var(--faint); margin: .5rem 0 0; }
ul.legend li { display: flex; align-items: center; gap: .35rem; margin: 0; }
ul.legend svg { flex: none; }
details { margin-top: .8rem; }
summary { cursor: pointer; font-size: .9rem; padding: .25rem 0; }
details > .time, details > table { margin-top: .5rem; }
time { white-space: nowrap; }
td.said { text-align: left; } th.said { text-align: left; }
@media screen and (max-width: 56rem) {
  .time svg.names { width: 7.6rem; }
  .time svg.names .tick { transform: translateX(-3.9rem); }
  td.said { flex: 1 1 100%; }
}
@media print { .time { zoom: .6; overflow: visible; } .time rect, .time path { print-color-adjust: exact; } }
"""

"""What a report looks like: light and dark, on a phone, on paper. One style sheet, part of every page."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1c1e21; --faint: #5b6168; --line: #dfe1e4; --track: #e9ebee;
  --drift: #c04f00; --watch: #e69f00; --stable: #0072b2; --open: #56b4e9; --quality: #b35b90;
  --alarm: #a4161a; --alarm-paper: #fdecec;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #131518; --card: #1c1f23; --ink: #e8eaed; --faint: #a3a9b1; --line: #33383f; --track: #2b3037;
    --drift: #f08a4b; --watch: #f0b429; --stable: #56b4e9; --open: #86c9ef; --quality: #dd9cc2;
    --alarm: #ff8f8f; --alarm-paper: #3b1518;
  }
  figure img { filter: brightness(.87); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.25rem 1rem 2rem; display: grid; gap: 1rem;
  grid-template-columns: minmax(0, 1fr); }
h1 { font-size: 1.35rem; line-height: 1.35; margin: .25rem 0; overflow-wrap: anywhere; font-weight: 600; }
h2 { font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--faint); margin: 0 0 .6rem;
  font-weight: 600; }
p, li, dd { overflow-wrap: anywhere; }
p { margin: .25rem 0; max-width: 70ch; }
ul { margin: 0; padding: 0 0 0 1.2rem; }
li + li { margin-top: .3rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; min-width: 0; }
.about, .facts, .more { color: var(--faint); font-size: .9rem; }
.facts { max-width: none; }
.pill { display: inline-block; font-size: .8rem; font-weight: 700; border: 1px solid currentColor; border-radius: 1rem;
  padding: .05rem .6rem; white-space: nowrap; vertical-align: .12em; }
h1 .pill { font-size: 1rem; margin-right: .4rem; }
.pill.fault { background: var(--alarm-paper); }
.drift { color: var(--drift); } .watch { color: var(--watch); } .stable { color: var(--stable); }
.open { color: var(--faint); } .quality { color: var(--quality); } .fault { color: var(--alarm); }
.pill.watch { color: var(--ink); border: 2px solid var(--watch); }
.faults { border: 2px solid var(--alarm); background: var(--alarm-paper); }
.faults h2 { color: var(--alarm); }
table { width: 100%; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem 0 .35rem .7rem; border-top: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
td.name, td.plain, td.bar, th.left { text-align: left; }
thead th { border-top: 0; font-size: .75rem; color: var(--faint); font-weight: 600; vertical-align: bottom; }
td .since { display: block; }
bdi + .pill { margin-left: .5rem; }
td.name { overflow-wrap: anywhere; min-width: 9rem; }
td.name bdi { font-weight: 600; }
td.bar { min-width: 11rem; white-space: nowrap; }
tr.said td { border-top: 0; padding-top: 0; text-align: left; color: var(--faint); }
.role { color: var(--faint); font-size: .9em; }
.loud { font-weight: 700; }
svg.ratio { display: block; width: 100%; height: .8rem; margin-top: .3rem; }
rect.track { fill: var(--track); }
rect.drift { fill: var(--drift); } rect.watch { fill: var(--watch); } rect.stable { fill: var(--stable); }
rect.open { fill: var(--open); } rect.quality { fill: var(--quality); }
rect.bound { fill: var(--ink); } rect.level { fill: var(--faint); }
figure { margin: 0; overflow-x: auto; }
figure + figure { margin-top: 1.25rem; }
figure img { display: block; width: 100%; max-width: 60rem; min-width: 40rem; background: #fff;
  border-radius: .3rem; }
figcaption { position: sticky; left: 0; color: var(--faint); font-size: .9rem; margin-bottom: .4rem; }
dl { margin: 0; display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: .4rem 1rem; font-size: .9rem; }
dt { font-weight: 600; } dd { margin: 0; max-width: 75ch; }
footer { color: var(--faint); font-size: .85rem; }
code { font-size: .9em; overflow-wrap: anywhere; }
@media screen and (max-width: 56rem) {
  h1 { font-size: 1.15rem; }
  table, tbody { display: block; }
  thead { position: absolute; left: -999rem; }
  tr { display: flex; flex-wrap: wrap; gap: .1rem .9rem; border-top: 1px solid var(--line); padding: .6rem 0; }
  tr.said { border-top: 0; padding: 0 0 .6rem; margin-top: -.35rem; }
  td, td:first-child { border: 0; padding: 0; text-align: left; min-width: 0; }
  td.name { flex: 1 1 60%; } td.bar { flex: 1 1 100%; white-space: normal; }
  td.none { display: none; }
  td[data-head]::before { content: attr(data-head) " "; color: var(--faint); }
  td.plain::before { content: none; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .6rem; }
}
@media print {
  @page { margin: 12mm; }
  :root { color-scheme: light; }
  body { font-size: 10pt; background: #fff; }
  main { display: block; max-width: none; padding: 0; }
  section { border: 0; padding: 0; margin-top: 5mm; }
  .faults { padding: 3mm; }
  table { font-size: 7.5pt; } thead th { font-size: 7pt; }
  th, td { padding-left: .4rem; }
  td.name { min-width: 36mm; } td.bar { min-width: 26mm; }
  table .pill { font-size: 7pt; padding: 0 .4rem; }
  thead { display: table-header-group; }
  tr, figure, .faults, dt, dd { break-inside: avoid; }
  tr:has(+ tr.said) { break-after: avoid; }
  h2 { break-after: avoid; }
  figure img { min-width: 0; }
  rect, .pill { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

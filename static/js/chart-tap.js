// On a screen without a pointer that hovers, the first tap on a bar says its values in a line above the chart
// ([data-values]), and the second one opens it. What opens is brought into view.
const withoutHover = matchMedia("(hover: none)");
const SAME_TAP_MS = 500; // Plotly tells of one tap twice: as it ends, and as the click that the browser makes of it.
const selected = new WeakMap();
let opened = false;

const lineOf = (box) => box.closest("figure").querySelector("[data-values]");

// The row of the table of numbers, without what is zero: “Nov 4: gpt-4o $12.78 · Total $12.78”.
const sentence = (box, number) => {
  const table = box.closest("figure").querySelector(".numbers-table");
  const [, ...names] = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const row = table.querySelectorAll("tbody tr")[number];
  if (!row) return "";
  const values = [...row.querySelectorAll("td")].map((cell) => cell.textContent.trim());
  const parts = names.map((name, n) => [name, values[n]]).filter(([, value]) => !/^\D*0(\.0+)?\D*$/.test(value));
  const shown = parts.map(([name, value]) => `${name} ${value}`).join(" · ") || values.at(-1);
  const hint = row.querySelector("a") ? " · Tap again to open" : "";
  return `${row.querySelector("th").textContent.trim()}: ${shown}${hint}`;
};

// Whether this tap only selects the bar.
export const selects = (box, number) => {
  if (!withoutHover.matches) return false;
  const before = selected.get(box);
  if (before?.number === number) return performance.now() - before.at < SAME_TAP_MS;
  selected.set(box, { number, at: performance.now() });
  const line = lineOf(box);
  line.textContent = sentence(box, number);
  line.hidden = false;
  return true;
};

export const deselect = (box) => {
  selected.delete(box);
  lineOf(box).hidden = true;
};

export const willOpen = () => {
  opened = withoutHover.matches;
};

export const bindOpened = () => {
  document.addEventListener("htmx:after:swap", () => {
    if (opened) document.querySelector(".bar")?.scrollIntoView();
    opened = false;
  });
};

import { deselect, selects, willOpen } from "./chart-tap.js";

// [data-chart]: draws the Plotly figure in the box's JSON element. The library is loaded once, when the first chart needs it.
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const colorsAreForced = matchMedia("(forced-colors: active)");
let library;

const loadPlotly = () => {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector('meta[name="plotly"]').content;
    script.onload = () => resolve(window.Plotly);
    script.onerror = reject;
    document.head.append(script);
  });
  return library;
};

// Figures name colours and fonts as CSS variables, `var(--line)`. Plotly reads no variables: this is what they are now.
const VARIABLE = /^var\(--([\w-]+)\)$/;

const themeOf = (element) => {
  const style = getComputedStyle(element);
  return (name) => {
    if (name === "font") return style.getPropertyValue("--font").trim();
    element.style.color = `var(--${name})`;
    const color = style.color;
    element.style.color = "";
    return color;
  };
};

// The figure in the box as it looks in this theme; nothing but variables is changed.
const themedFigure = (box, canvas) => {
  const theme = themeOf(canvas);
  const put = (_key, value) => {
    const [, name] = (typeof value === "string" && VARIABLE.exec(value)) || [];
    return name ? theme(name) : value;
  };
  return JSON.parse(box.querySelector("script").textContent, put);
};

const react = (Plotly, box, canvas, size = {}) => {
  const figure = themedFigure(box, canvas);
  const layout = { ...figure.layout, ...size };
  return Plotly.react(canvas, figure.data, layout, { displayModeBar: false, responsive: true, showTips: false });
};

const drawn = new WeakMap();

const draw = async (box) => {
  const Plotly = await loadPlotly();
  if (!box.isConnected) return;
  const canvas = box.querySelector(".chart-drawing");
  await react(Plotly, box, canvas);
  if (canvas.dataset.clickable) return;
  canvas.dataset.clickable = "";
  canvas.on("plotly_click", (click) => open(box, click));
};

// A click opens the bar as its link in the table of numbers does; with Shift it narrows the page to the part.
const open = (box, { points, event }) => {
  const [point] = points;
  if (selects(box, point.pointIndex)) return;
  willOpen();
  const row = box.closest("figure").querySelectorAll(".numbers-table tbody tr")[point.pointIndex];
  const link = row?.querySelector("a");
  const address = event?.shiftKey && partAt(box, points, event)?.data.meta?.address;
  if (address) follow(box, address);
  else link?.click();
};

// The tooltip's points are those of all parts of a bar: this is the one under the pointer.
const partAt = (box, points, { clientY }) => {
  const { data } = box.querySelector(".chart-drawing");
  const traces = box.querySelectorAll(".barlayer .trace.bars");
  return points
    .filter((point) => point.data.type === "bar")
    .find(({ pointIndex, curveNumber }) => {
      const n = data.slice(0, curveNumber).filter(({ type }) => type === "bar").length;
      const { top, bottom, height } = traces[n].querySelectorAll(".point")[pointIndex].getBoundingClientRect();
      return height > 0 && top <= clientY && clientY <= bottom;
    });
};

const follow = (box, address) => {
  const links = [...box.closest("#usage").querySelectorAll("a[href]")];
  const link = links.find((found) => found.getAttribute("href") === address);
  if (link) link.click();
  else location.assign(address);
};

const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);

document.addEventListener("theme:change", drawAll);
systemIsDark.addEventListener("change", drawAll);
colorsAreForced.addEventListener("change", drawAll);

// Paper is light and narrow: charts are drawn again in the size that print.css gives them, and back afterwards.
const paperSize = (box) => {
  const style = getComputedStyle(box);
  return { width: parseInt(style.getPropertyValue("--paper-width"), 10), height: parseInt(style.getPropertyValue("--paper-height"), 10) };
};

const drawForPaper = () => {
  document.documentElement.classList.add("on-paper");
  for (const box of document.querySelectorAll("[data-chart]")) {
    const canvas = box.querySelector(".chart-drawing");
    if (window.Plotly && canvas.dataset.clickable !== undefined) react(window.Plotly, box, canvas, paperSize(box));
  }
};

addEventListener("beforeprint", drawForPaper);
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("on-paper");
  drawAll();
});

export const bindCharts = (root) => {
  for (const box of root.querySelectorAll("[data-chart]")) {
    const text = box.querySelector("script").textContent;
    if (drawn.get(box) === text) continue;
    drawn.set(box, text);
    deselect(box);
    draw(box);
  }
};

// [data-chart]: draws the Plotly figure in the box's JSON element. The library is loaded once, when the first chart needs it.
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
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

// The colour that a token has now, as the browser reckons it for this element; and the font.
const tokens = (element) => {
  const style = getComputedStyle(element);
  return (name) => {
    if (name === "font") return style.getPropertyValue("--font").trim();
    element.style.color = `var(--${name})`;
    const color = style.color;
    element.style.color = "";
    return color;
  };
};

const bar = (trace, token) => ({
  ...trace,
  marker: { color: token(trace.meta.color), line: { width: 0 } },
  hovertemplate: "%{customdata}",
});

const total = (trace) => ({
  ...trace,
  mode: "markers",
  marker: { opacity: 0, color: "rgba(0,0,0,0)" },
  hovertemplate: "%{customdata}",
});

const themed = (figure, token) => {
  const font = { family: token("font"), size: 11, color: token("muted") };
  const axis = { fixedrange: true, showline: false, zeroline: false, tickfont: font, ticks: "" };
  return {
    data: figure.data.map((trace) => (trace.type === "bar" ? bar(trace, token) : total(trace))),
    layout: {
      ...figure.layout,
      xaxis: { ...figure.layout.xaxis, ...axis, showgrid: false, showspikes: false, ticklabelstandoff: 5, unifiedhovertitle: { text: `%{x|${figure.layout.meta.title}}` } },
      yaxis: { ...figure.layout.yaxis, ...axis, gridcolor: token("line"), ticklabelstandoff: 4, automargin: false },
      font,
      bargap: 0.26,
      dragmode: false,
      hovermode: "x unified",
      hoverdistance: 40,
      hoverlabel: { bgcolor: token("surface"), bordercolor: token("line"), font: { ...font, size: 12, color: token("text") } },
      legend: { traceorder: "reversed" },
      showlegend: false,
      margin: { l: 46, r: 6, t: 8, b: 26 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
    },
  };
};

const react = (Plotly, box, canvas, size = {}) => {
  const figure = themed(JSON.parse(box.querySelector("script").textContent), tokens(canvas));
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
  const part = points.find(({ data }) => data.meta?.address) ?? point;
  const row = box.closest("figure").querySelectorAll(".numbers-table tbody tr")[point.pointIndex];
  const link = row?.querySelector("a");
  if (event?.shiftKey && part.data.meta?.address) follow(box, part.data.meta.address);
  else link?.click();
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
    draw(box);
  }
};

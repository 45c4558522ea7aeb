// #usage[data-live]: asks every few seconds whether the numbers changed, and changes them in place. Rests in a hidden tab.
const EVERY = 5_000;
let timer;

const show = (lost) => document.querySelectorAll("[data-lost]").forEach((note) => (note.hidden = !lost));

const showFreshness = (moment) => {
  const time = document.querySelector(".freshness time");
  if (!time || !moment) return;
  time.dateTime = moment;
  time.textContent = `${moment.slice(11, 19)} UTC`;
};

const isBusy = (usage) => usage.querySelector("dialog[open], .htmx-request") || usage.contains(document.activeElement?.closest("input"));

const refresh = async () => {
  const usage = document.getElementById("usage");
  const tag = usage?.dataset.live;
  if (!tag || document.hidden || isBusy(usage)) return;
  const address = location.href;
  let answer;
  try {
    answer = await fetch(address, { headers: { "If-None-Match": tag }, cache: "no-store", redirect: "error" });
  } catch {
    show(true);
    return;
  }
  show(answer.status >= 500);
  if (answer.status === 304) showFreshness(answer.headers.get("X-Complete-Through"));
  if (answer.status !== 200) return;
  const text = await answer.text();
  const isStill = location.href === address && document.getElementById("usage") === usage;
  if (!isStill || isBusy(usage) || !text.includes('id="usage"')) return;
  await window.htmx.swap({ text, target: usage, sourceElement: usage, select: "#usage", swap: "outerMorph" });
};

const run = async () => {
  clearTimeout(timer);
  await refresh();
  timer = setTimeout(run, EVERY);
};

export const bindLive = () => {
  timer = setTimeout(run, EVERY);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) run();
  });
};

// [data-dialog]: a link to a page that also stands in a <dialog> of this page, which it opens instead.
// [data-export]: a form for a range of days, which says what is wrong with it before it is sent.
const MAX_DAYS = 60;
const DAY = 86_400_000;

const check = (form) => {
  const [start, last] = [form.elements.start, form.elements.last];
  const days = (last.valueAsNumber - start.valueAsNumber) / DAY + 1;
  let problem = "";
  if (days < 1) problem = "The last day must not be before the first.";
  if (days > MAX_DAYS) problem = `An export has at most ${MAX_DAYS} days; this is ${days}.`;
  last.setCustomValidity(problem);
};

export const bindDialogs = () => {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener ? document.getElementById(opener.dataset.dialog) : event.target.closest("dialog");
    if (opener && dialog && !event.metaKey && !event.ctrlKey) {
      event.preventDefault();
      dialog.showModal();
    } else if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) {
      dialog.close();
    }
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-export]");
    if (form) check(form);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-export]")) event.target.closest("dialog")?.close();
  });
};

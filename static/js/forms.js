// A form that changes something is sent once, however often its button is clicked while the answer is on its way.
// [data-save-when-changed]: a choice that is sent by the button of its form alone, which waits until there is something to save.
const AGAIN_AFTER_MS = 5_000; // the answer may be a file, or the reader stopped it: the form is still there then

export const bindOnce = () => {
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
    setTimeout(() => sent.delete(form), AGAIN_AFTER_MS);
  });
};

export const bindSaveWhenChanged = (root) => {
  for (const field of root.querySelectorAll("[data-save-when-changed]")) {
    const button = field.form.querySelector("button");
    const update = () => (button.disabled = field.selectedOptions[0]?.defaultSelected ?? false);
    field.addEventListener("change", update);
    window.addEventListener("pageshow", update); // the browser may have put an earlier choice back
    update();
  }
};

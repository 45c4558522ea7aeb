// A form that changes something is sent once, however often its button is clicked while the answer is on its way.
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

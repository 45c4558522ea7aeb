// [data-submit-on-change]: a choice that is sent as soon as it is made; the button beside it is for browsers without scripts.
export const bindSubmitOnChange = (root) => {
  for (const field of root.querySelectorAll("[data-submit-on-change]")) {
    const button = field.form.querySelector("button");
    if (button.hidden) continue;
    button.hidden = true;
    field.addEventListener("change", () => field.form.requestSubmit());
  }
};

// [data-save-when-changed]: a choice that is sent by the button of its form alone, which waits until there is something to save.
export const bindSaveWhenChanged = (root) => {
  for (const field of root.querySelectorAll("[data-save-when-changed]")) {
    const button = field.form.querySelector("button");
    const update = () => (button.disabled = field.selectedOptions[0]?.defaultSelected ?? false);
    field.addEventListener("change", update);
    window.addEventListener("pageshow", update); // the browser may have put an earlier choice back
    update();
  }
};

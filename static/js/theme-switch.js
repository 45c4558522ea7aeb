// [data-theme-switch]: buttons whose value is the theme, remembered in this browser.
export const bindThemeSwitch = () => {
  const group = document.querySelector("[data-theme-switch]");
  if (!group) return;
  const show = () => {
    for (const button of group.children) {
      button.setAttribute("aria-pressed", String(button.value === window.theme.chosen()));
    }
  };
  group.hidden = false;
  group.addEventListener("click", (event) => {
    if (event.target.tagName !== "BUTTON") return;
    window.theme.choose(event.target.value);
    show();
  });
  show();
};

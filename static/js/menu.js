// [data-menu]: a <details> that closes on Escape and on a click elsewhere.
const openMenus = () => document.querySelectorAll("[data-menu][open]");

export const bindMenus = () => {
  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) {
      if (!menu.contains(event.target) || event.target.closest("a")) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
};

// Runs before the first paint, so that a chosen theme never flashes the other one.
(() => {
  const key = "theme";
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  const stored = () => {
    try {
      return localStorage.getItem(key) ?? "";
    } catch {
      return "";
    }
  };
  apply(stored());
  window.theme = {
    chosen: stored,
    choose(theme) {
      try {
        localStorage.setItem(key, theme);
      } catch {
        // Private windows may refuse; the choice then lasts for this page.
      }
      apply(theme);
      document.dispatchEvent(new CustomEvent("theme:change"));
    },
  };
})();

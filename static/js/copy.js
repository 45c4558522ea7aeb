// [data-copy]: a button that copies the text beside it.
export const bindCopy = (root) => {
  for (const box of root.querySelectorAll("[data-copy]")) {
    const button = box.querySelector("button");
    if (!button.hidden || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
};

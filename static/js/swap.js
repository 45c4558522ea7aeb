// htmx swaps a part of a page. An answer without that part (signed out, an error) is opened as a page of its own.

export const bindSwap = () => {
  document.addEventListener("htmx:after:request", (event) => {
    const { text, request, target } = event.detail.ctx;
    if (text?.includes(`id="${target?.id ?? target?.slice?.(1)}"`)) return;
    event.preventDefault();
    location.assign(request.action);
  });
  document.addEventListener("htmx:error", (event) => {
    const address = event.detail.ctx?.request?.action;
    if (address && event.detail.error?.name !== "AbortError") location.assign(address);
  });
};

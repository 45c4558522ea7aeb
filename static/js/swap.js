// htmx swaps the report of a usage page. An answer that is no such page (signed out, an error) is opened as a page of its own.
const MARK = 'id="usage"';

export const bindSwap = () => {
  document.addEventListener("htmx:after:request", (event) => {
    const { text, request } = event.detail.ctx;
    if (text?.includes(MARK)) return;
    event.preventDefault();
    location.assign(request.action);
  });
  document.addEventListener("htmx:error", (event) => {
    const address = event.detail.ctx?.request?.action;
    if (address && event.detail.error?.name !== "AbortError") location.assign(address);
  });
};

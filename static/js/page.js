// Binds the behaviours to the page, and again to each part that htmx swaps in.
import { bindOpened } from "./chart-tap.js";
import { bindCharts } from "./chart.js";
import { bindCopy } from "./copy.js";
import { bindDialogs } from "./dialog.js";
import { bindOnce, bindSaveWhenChanged } from "./forms.js";
import { bindLive } from "./live.js";
import { bindMenus } from "./menu.js";
import { bindSwap } from "./swap.js";
import { bindThemeSwitch } from "./theme-switch.js";
import { bindUnitOf } from "./unit-of.js";

const bind = () => {
  bindCharts(document);
  bindCopy(document);
  bindSaveWhenChanged(document);
  bindUnitOf(document);
};

bindDialogs();
bindLive();
bindMenus();
bindOnce();
bindOpened();
bindSwap();
bindThemeSwitch();
bind();
document.addEventListener("htmx:after:swap", bind);

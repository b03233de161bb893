// Keys for what is on the page: each presses the link or button, or goes to the field, that has it as
// `data-key`. Nothing is done here that the page could not do without, and they can be switched off.
"use strict";
(() => {
  const kept = "switchyard-keys";
  const box = document.getElementById("keys-on");
  let on = true;
  try { on = localStorage.getItem(kept) !== "off"; } catch { /* Nothing may be kept here. */ }

  if (box) {
    box.checked = on;
    box.addEventListener("change", () => {
      on = box.checked;
      try { localStorage.setItem(kept, on ? "on" : "off"); } catch { /* It counts for this page. */ }
    });
  }
  document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });

  document.addEventListener("keydown", (event) => {
    if (!on || event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const writes = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
    if (writes) {
      if (event.key === "Escape") writes.blur();
      return;
    }
    if (event.key.length !== 1) return;
    const pressed = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!pressed) return;
    event.preventDefault();
    if (pressed.matches("a, button, summary")) pressed.click();
    else pressed.focus();
  });
})();

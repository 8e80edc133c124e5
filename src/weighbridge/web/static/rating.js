// Keys for the forms of ratings. Everything works without: this presses what is on the page.
// A key counts only while its form has the focus, so that it takes nothing from a screen reader or from somebody who speaks to the page.
"use strict";
(() => {
  const typed = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  const isOpen = (element) => !element.parentElement.closest("details:not([open])");

  const goOn = (radio, form) => {
    if ("ends" in radio.dataset) { form.querySelector("button").focus(); return; }
    const questions = [...form.querySelectorAll("[data-question]")];
    const next = questions[questions.indexOf(radio.closest("[data-question]")) + 1];
    const target = next ? next.querySelector("input:checked") || next.querySelector("input") : form.querySelector("button");
    if (target) target.focus();
  };

  const press = (element, form) => {
    if ("opens" in element.dataset) {
      element.open = !element.open;
    } else if (element.type === "radio") {
      element.checked = true;
      element.dispatchEvent(new Event("change", { bubbles: true }));
      goOn(element, form);
    } else {
      element.click();
    }
  };

  // t: the form of the answer that has the focus, else of its turn's first, else of the last turn; from a tag, the form of the next answer.
  const tagNext = (from) => {
    if (document.getElementById("keys-on")?.checked === false || document.querySelector("dialog[open]")) return false;
    const all = [...document.querySelectorAll("main [data-tag] details.tag-it")];
    const mine = all.findIndex((each) => each.closest("[data-tag]").contains(from));
    const turns = [...document.querySelectorAll("[data-turn]")].filter((each) => each.querySelector("details.tag-it"));
    const near = from.closest(".sample") || from.closest("[data-turn]") || turns.at(-1);
    const target = mine >= 0 ? all[mine + 1] : near?.querySelector("details.tag-it");
    if (!target) return false;
    target.open = true;
    (target.querySelector("input[type=radio]:checked") || target.querySelector("input[type=radio]")).focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat) return;
    if (!event.target.closest || typed(event.target) || event.defaultPrevented) return;
    // A tag's form is behind a summary: where that has the focus and is open, its keys work, too.
    const form = event.target.closest("[data-keys]") || event.target.closest("details.tag-it[open]")?.querySelector("[data-keys]");
    const key = event.key.toLowerCase();
    const here = form && (event.target.closest("[data-question]") || form.querySelector("[data-question]"));
    const those = form ? [...form.querySelectorAll("[data-press]")].filter((each) => each.dataset.press === key && isOpen(each)) : [];
    const found = those.find((each) => here && here.contains(each)) || those.find((each) => !each.closest("[data-question]")) || those[0];
    if (!found) {
      if (key === "t" && tagNext(event.target)) event.preventDefault();
      return;
    }
    event.preventDefault();
    press(found, form);
  });

  // A tag is kept without leaving the page: what comes back takes the place of the form.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    // What reveals which side is which changes all of the page.
    if (!("inPlace" in form.dataset) || ("reveals" in form.dataset && form.elements.finding.checked)) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const headers = { accept: "text/html", "x-in-place": "1" };
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers }).catch(() => null);
    button.disabled = false;
    if (!answer || !answer.ok) { form.submit(); return; } // the page that comes says what is wrong
    const part = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-tag]");
    if (!part) { form.submit(); return; }
    form.closest("[data-tag]").replaceWith(part);
    part.querySelector("[data-focus]")?.focus();
  });

  const begin = () => {
    const form = document.querySelector("main [data-keys]");
    document.documentElement.classList.add("has-keys");
    // Where the form is what the page is for, it has the focus, so that keys work at once.
    if (form && !form.closest("details")) {
      const first = form.querySelector("[data-question] input:checked") || form.querySelector("[data-question] input");
      if (first) first.focus({ preventScroll: true });
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();

// The workbench as it happens: answers come piece by piece, and keys press what is on the page. Everything works without it.
"use strict";
(() => {
  const MOST_LINES = 2; // a browser keeps six connections to one server, for all its tabs
  const AGAIN_MS = 3000;
  const status = document.getElementById("status");
  const doing = document.getElementById("doing");
  const turns = document.getElementById("turns");
  const composer = document.getElementById("composer");
  const words = document.getElementById("text");
  const dialog = document.getElementById("keys");
  const foldButton = document.getElementById("fold-button");
  const keysOn = document.getElementById("keys-on");
  const person = foldButton.dataset.person;
  const remembered = (name) => `weighbridge.${name}.${person}`;
  const recall = (name) => { try { return localStorage.getItem(remembered(name)); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(remembered(name), value); } catch { /* it holds for this page */ } };
  const counted = new Intl.NumberFormat("en-GB");

  // Said to screen readers: what changes for the turn, never each piece of text, nor how far a model is loaded.
  const say = (text, more = "") => {
    if (status.textContent !== text) status.textContent = text;
    if (doing.textContent !== more) doing.textContent = more;
  };

  let unfolded = recall("unfold") === "yes";
  const fold = (within) => {
    for (const answer of within.querySelectorAll("details[data-answer]")) answer.open = unfolded;
  };
  const setFolding = (value) => {
    unfolded = value;
    remember("unfold", value ? "yes" : "no");
    foldButton.firstElementChild.textContent = value ? "Fold answers" : "Unfold answers";
    fold(document);
  };

  const waiting = [];
  let lines = 0;
  const next = () => {
    while (lines < MOST_LINES && waiting.length) {
      lines += 1;
      listen(waiting.shift());
    }
  };

  const listen = (answer) => {
    const text = answer.querySelector("[data-text]");
    const count = answer.querySelector("[data-count]");
    const state = answer.querySelector("[data-state]");
    const node = text.firstChild ?? text.appendChild(document.createTextNode(""));
    let letters = Number(answer.dataset.letters);
    const source = new EventSource(`/workbench/sides/${answer.dataset.side}/events?after=${letters}`);
    const done = () => { source.close(); lines -= 1; next(); };
    source.addEventListener("text", (event) => {
      node.appendData(JSON.parse(event.data).text);
      letters = Number(event.lastEventId);
      answer.dataset.letters = String(letters);
      count.textContent = counted.format(letters);
    });
    source.addEventListener("status", (event) => {
      const told = JSON.parse(event.data);
      state.textContent = told.state;
      if (told.doing) say("Waiting for answers.", told.doing);
      else if (told.state === "answering") say("Answers are coming.");
    });
    source.addEventListener("end", (event) => {
      state.textContent = JSON.parse(event.data).state;
      const turn = answer.closest("[data-turn]");
      delete answer.dataset.side;
      answer.closest(".sample").querySelector("[data-key=x]")?.remove();
      done();
      if (!turn.querySelector("details[data-side]")) finish(turn);
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) { say("The line dropped. Trying again."); return; }
      done();
      say("The line dropped, or you are signed out. Trying again; if nothing comes, reload the page.");
      setTimeout(() => { if (answer.isConnected && answer.dataset.side) { waiting.push(answer); next(); } }, AGAIN_MS);
    });
  };

  // What the server now says of the turn: reasons, what can be done, tags.
  const finish = async (turn) => {
    const found = await fetch(`/workbench/turns/${turn.dataset.turn}`, { headers: { accept: "text/html" } }).catch(() => null);
    if (!found || !found.ok) { say("The answers have come. Reload the page to see all of it."); return; }
    const focused = turn.contains(document.activeElement) ? document.activeElement.id : "";
    const open = new Set([...turn.querySelectorAll("details[data-answer][open]")].map((each) => each.closest(".sample").id));
    const fresh = new DOMParser().parseFromString(await found.text(), "text/html").querySelector("[data-turn]");
    if (!fresh) return;
    turn.replaceWith(fresh);
    for (const answer of fresh.querySelectorAll("details[data-answer]")) answer.open = unfolded || open.has(answer.closest(".sample").id);
    if (focused) document.getElementById(focused)?.focus();
    watch(fresh);
    document.dispatchEvent(new CustomEvent("turn-shown", { detail: fresh }));
    if (!turns.querySelector("[data-open]")) {
      say("All answers are here.");
      composer?.querySelector("fieldset")?.removeAttribute("disabled");
    }
  };

  const watch = (within) => {
    waiting.push(...within.querySelectorAll("details[data-side]"));
    next();
  };

  const typed = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox]), [contenteditable]");
  const shown = () => [...turns.querySelectorAll("[data-turn]")];
  const inFocus = () => shown().findIndex((each) => each.contains(document.activeElement));
  const tag = () => {
    const forms = [...(shown().at(inFocus())?.querySelectorAll("details.tag-it") ?? [])];
    const form = forms.find((each) => !each.open && !each.contains(document.activeElement)) ?? forms[0];
    if (!form) return;
    form.open = true;
    (form.querySelector("[data-question] input:checked") ?? form.querySelector("[data-question] input"))?.focus();
  };
  const step = (by) => {
    const all = shown();
    const here = inFocus();
    const target = here < 0 ? all[by > 0 ? 0 : all.length - 1] : all[here + by];
    if (target) { target.focus(); target.scrollIntoView({ block: "start" }); }
  };
  const press = (button) => { if (button) button.click(); };
  const all = (key) => [...document.querySelectorAll(`main [data-key="${key}"]`)];
  const acts = {
    "?": () => dialog.showModal(),
    n: () => words?.focus(),
    j: () => step(1),
    k: () => step(-1),
    t: tag,
    o: () => setFolding(!unfolded),
    x: () => press(all("x")[0]),
    a: () => press(all("a").at(-1)),
    v: () => press(all("v")[0]),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat || event.defaultPrevented) return;
    if (event.target === words && event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (words.value.trim()) composer.requestSubmit();
      return;
    }
    if (dialog.open || !(keysOn.checked || event.key === "?") || typed(event.target)) return;
    // Keys of a form that has the focus are that form's own.
    if (event.target.closest("[data-keys]")) return;
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.documentElement.classList.add("scripted");
  document.getElementById("help-button").addEventListener("click", () => dialog.showModal());
  foldButton.addEventListener("click", () => setFolding(!unfolded));
  keysOn.checked = recall("keys") !== "off";
  keysOn.addEventListener("change", () => remember("keys", keysOn.checked ? "on" : "off"));
  // A page that was asked to show them open (`?unfold`) stays so.
  if (unfolded || !document.querySelector("details[data-answer][open]")) setFolding(unfolded);
  composer?.addEventListener("submit", () => composer.querySelector("button").setAttribute("disabled", ""));
  // A page that the browser kept is as it was left: its button must work again.
  window.addEventListener("pageshow", () => composer?.querySelector(".send button").removeAttribute("disabled"));
  watch(document);
})();

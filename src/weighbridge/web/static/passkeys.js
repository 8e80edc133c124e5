// Passkeys: asks the browser to make one or to sign with one, and sends what it says. No other script of this site is needed for anything.
"use strict";
(() => {
  const box = document.querySelector("[data-passkeys]");
  if (!box) return;
  const part = (name) => box.querySelector(`[data-${name}]`);
  const said = part("said"), form = part("form"), go = part("go");
  const csrf = () => (form && form.elements.csrf ? form.elements.csrf.value : null);

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const sentence = (words) => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;

  async function send(path, body) {
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    if (csrf()) headers["X-CSRF-Token"] = csrf();
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin" });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const what = sentence(found.detail || "that did not work");
      throw new Error(found.do ? `${what} What to do: ${found.do}.` : what);
    }
    return found;
  }

  async function make(options) {
    const publicKey = { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) } };
    publicKey.excludeCredentials = (options.excludeCredentials || []).map((each) => ({ ...each, id: bytes(each.id) }));
    const made = await navigator.credentials.create({ publicKey });
    const { clientDataJSON, attestationObject } = made.response;
    return {
      id: made.id, rawId: text(made.rawId), type: made.type,
      response: { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) },
    };
  }

  async function sign(options) {
    const found = await navigator.credentials.get({ publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: [] } });
    const { clientDataJSON, authenticatorData, signature, userHandle } = found.response;
    return {
      id: found.id, rawId: text(found.rawId), type: found.type,
      response: {
        clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
        userHandle: userHandle ? text(userHandle) : null,
      },
    };
  }

  const why = (error) => {
    if (error.name === "NotAllowedError") return "The passkey was not used: it was cancelled, or it took too long. Begin again.";
    if (error.name === "InvalidStateError") return "This device has a passkey of yours for this site already.";
    if (error.name === "SecurityError") return `Passkeys of this site belong to ${box.dataset.origin}. Open it there.`;
    return error.message;
  };

  function whenAsked(target, event, work) {
    target.addEventListener(event, async (happened) => {
      happened.preventDefault();
      if (form && !form.reportValidity()) return;
      said.textContent = "";
      go.disabled = true;
      try {
        location.assign((await work()).to);
      } catch (error) {
        said.textContent = why(error);
      } finally {
        go.disabled = false;
      }
    });
  }

  if (location.origin !== box.dataset.origin) {
    said.textContent = "Passkeys of this site belong to ";
    const there = document.createElement("a");
    there.href = box.dataset.origin + location.pathname + location.search + location.hash;
    there.textContent = box.dataset.origin;
    said.append(there, ". Open it there.");
    return;
  }
  if (!window.PublicKeyCredential) {
    said.textContent = "This browser does not know passkeys, or the page did not come over https. Use another browser.";
    return;
  }

  const kinds = {
    "sign-in"() {
      whenAsked(go, "click", async () => {
        const credential = await sign(await send("/sign-in/options", {}));
        return send("/sign-in", { credential, next: box.dataset.next });
      });
      go.disabled = false;
    },
    add() {
      whenAsked(form, "submit", async () => {
        const credential = await make(await send("/account/passkeys/options", {}));
        return send("/account/passkeys", { title: form.elements.title.value, credential });
      });
      go.disabled = false;
    },
    async join() {
      const secret = location.hash.slice(1);
      const about = part("about");
      // The secret leaves the address, the history and what a copied address would give away.
      history.replaceState(null, "", location.pathname);
      if (!secret) {
        about.textContent = "This page needs a one-time link: open the whole link that you were given. After a reload, open it again.";
        return;
      }
      let link;
      try {
        link = await send("/join/look", { secret });
      } catch (error) {
        about.textContent = "This link does not work.";
        said.textContent = why(error);
        return;
      }
      const until = new Date(link.until).toLocaleString();
      about.textContent = link.user
        ? `You join as ${link.user}, ${link.role}. The link works once, until ${until}.`
        : `Nobody maintains this weighbridge yet: you become its maintainer. The link works once, until ${until}.`;
      part("choose").hidden = Boolean(link.user);
      form.elements.name.required = !link.user;
      form.hidden = false;
      whenAsked(form, "submit", async () => {
        const credential = await make(await send("/join/options", { secret, name: link.user ? "" : form.elements.name.value }));
        return send("/join", { secret, title: form.elements.title.value, credential });
      });
      if (part("provider")) {
        whenAsked(part("provider"), "click", () =>
          send("/join/provider", { secret, name: link.user ? "" : form.elements.name.value }));
      }
    },
  };
  kinds[box.dataset.passkeys]();
})();

// Makes forms quick and gives them keys; every one of them also works without this file.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const items = () => all("[data-creator]");
  const bar = document.getElementById("deciding");
  const help = document.querySelector("[data-help]");
  const toldAt = document.querySelector("[data-told]");
  let waiting = Promise.resolve();
  let open = 0;
  let current = null;
  let forgetting = 0;

  const tell = (text, wrong = false) => {
    if (!toldAt) return;
    toldAt.classList.toggle("wrong", wrong);
    toldAt.textContent = ""; // the same words told twice are read twice
    requestAnimationFrame(() => { toldAt.textContent = text; });
    clearTimeout(forgetting);
    if (!wrong) forgetting = setTimeout(() => { toldAt.textContent = ""; }, 8000);
  };

  // the row in use
  const itemOf = (element) => (element instanceof Element ? element.closest("[data-creator]") : null);
  const choose = (item, focus) => {
    if (current && current !== item) current.classList.remove("current");
    current = item;
    if (!item) return;
    item.classList.add("current");
    if (!focus) return;
    const target = item.querySelector("[data-open], a[href]") || item;
    if (target === item && !item.hasAttribute("tabindex")) item.tabIndex = -1;
    target.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  };
  const move = (by) => {
    const every = items();
    if (!every.length) return false;
    const at = every.indexOf(current);
    choose(every[at < 0 ? 0 : Math.min(every.length - 1, Math.max(0, at + by))], true);
    return true;
  };
  document.addEventListener("focusin", (event) => {
    const item = itemOf(event.target);
    if (item) choose(item, false);
  });

  // what is shown
  const slots = (id) => all("[data-status-of]").filter((one) => one.dataset.statusOf === id);
  const buttonsOf = (id) => items().filter((one) => one.dataset.creator === id)
    .flatMap((one) => all("button[data-decision]", one));
  const press = (id, decision) => buttonsOf(id)
    .forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.decision === decision)));
  const idOf = (value) => value.slice(value.indexOf(" ") + 1);

  const guess = (id, decision, word) => {
    const kept = slots(id).map((slot) => [slot, [...slot.childNodes]]);
    const pressed = buttonsOf(id).map((one) => [one, one.getAttribute("aria-pressed")]);
    kept.forEach(([slot]) => {
      const badge = document.createElement("span");
      badge.className = `status status-${decision}`;
      badge.textContent = word;
      slot.replaceChildren(badge);
      slot.setAttribute("aria-busy", "true");
    });
    press(id, decision);
    return () => {
      kept.forEach(([slot, nodes]) => { slot.replaceChildren(...nodes); slot.removeAttribute("aria-busy"); });
      pressed.forEach(([one, was]) => one.setAttribute("aria-pressed", was));
    };
  };

  // the list that a first decision made belongs into whatever leads on from here; what is being typed is left alone
  const adopt = (answer) => {
    const withList = (address) => {
      const to = new URL(address, location.href);
      to.searchParams.set("list", answer.list.id);
      return to;
    };
    history.replaceState(history.state, "", withList(location.href));
    all('a[href]:not([data-anew], [data-anew] a, [href^="#"])').forEach((one) => { one.href = withList(one.href); });
    all("input[name=list]").forEach((one) => {
      one.value = answer.list.id;
      one.disabled = false;
    });
    all("input[name=next]").forEach((one) => {
      const to = withList(one.value);
      one.value = to.pathname + to.search + to.hash;
    });
    all("[data-of-list]").forEach((one) => { one.hidden = one.disabled = false; });
    const line = document.querySelector("[data-line]");
    line.innerHTML = answer.line;
    offerKeys(line);
  };

  const show = (answer) => {
    if (answer.line) adopt(answer);
    for (const [id, one] of Object.entries(answer.statuses)) {
      slots(id).forEach((slot) => { slot.innerHTML = one.html; slot.removeAttribute("aria-busy"); });
      press(id, one.mine);
    }
    all("[data-count]").forEach((one) => {
      one.textContent = answer.counts[one.dataset.count] || "0";
      one.parentElement.hidden = !(one.dataset.count in answer.counts);
    });
    all("input[name=seen]").forEach((one) => { one.value = answer.list.version; });
    const news = document.querySelector("[data-news]");
    if (news && answer.news.length) {
      news.querySelector("ul").replaceChildren(...answer.news.map((line) => {
        const one = document.createElement("li");
        one.dir = "auto";
        one.textContent = line;
        return one;
      }));
      news.hidden = false;
    }
    tell([answer.said, ...answer.news].join(". "));
  };

  // what was shown as decided is written before the page is left, or its reader is asked
  addEventListener("beforeunload", (event) => { if (open) event.preventDefault(); });

  // one write after the other: the second may need the list that the first one makes
  const send = (form, submitter, undo) => {
    const data = new FormData(form, submitter);
    open += 1;
    waiting = waiting.then(async () => {
      const list = form.querySelector("input[name=list]");
      if (list) data.set("list", list.value);
      if (!data.get("list")) items().forEach((one) => data.append("shown", one.dataset.creator));
      const seen = form.querySelector("input[name=seen]");
      if (seen) data.set("seen", seen.value);
      try {
        const response = await fetch(form.action, {
          method: "POST", body: new URLSearchParams(data), headers: { Accept: "application/json" },
          credentials: "same-origin", redirect: "error", keepalive: true,
        });
        const answer = await response.json();
        if (!response.ok) throw new Error(answer.error || answer.detail || "");
        show(answer);
      } catch (error) {
        undo.forEach((one) => one());
        const said = error instanceof TypeError || error instanceof SyntaxError ? "" : error.message;
        tell(said || toldAt?.dataset.failed || "", true);
      }
      open -= 1;
    });
  };

  const ticked = () => all("input[name=creator][type=checkbox]").filter((one) => one.checked);
  const count = () => {
    all("[data-ticked]").forEach((one) => { one.value = String(ticked().length); });
    bar?.classList.toggle("active", ticked().length > 0);
  };
  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "creator") count();
  });
  addEventListener("pageshow", count);
  count();

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const submitter = event.submitter;
    if (form.hasAttribute("data-undo")) {
      event.preventDefault();
      send(form, submitter, []);
      return;
    }
    if (!form.hasAttribute("data-decide") || !submitter || submitter.hasAttribute("data-compare")) return;
    event.preventDefault();
    const word = submitter.textContent.trim();
    let ids;
    let decision = submitter.value;
    if (submitter.name === "one") {
      decision = submitter.dataset.decision;
      ids = [idOf(submitter.value.slice(decision.length + 1))];
    } else if (form === bar) {
      ids = ticked().map((one) => idOf(one.value));
      if (!ids.length) {
        tell(toldAt?.dataset.noneTicked || "", true);
        return;
      }
    } else {
      ids = [itemOf(form).dataset.creator];
    }
    const undo = ids.map((id) => guess(id, decision, word));
    const text = form.querySelector("textarea[name=comment]");
    const reason = form.querySelector("select[name=reason]");
    const wrote = [text?.value, reason?.value];
    undo.push(() => { if (text) [text.value, reason.value] = wrote; }); // what was typed is not lost
    send(form, submitter, undo);
    if (text) [text.value, reason.value] = ["", ""];
    if (form === bar && submitter.name !== "one") ticked().forEach((one) => { one.checked = false; });
    count();
  });

  // keys
  const decide = (decision) => {
    const item = current || (items().length === 1 ? items()[0] : null);
    const button = item?.querySelector(`button[data-decision="${decision}"]`);
    if (button) button.form.requestSubmit(button);
    return Boolean(button);
  };
  const decideTicked = (decision) => {
    const button = bar?.querySelector(`button[name=decision][value="${decision}"]`);
    if (button) bar.requestSubmit(button);
    return Boolean(button);
  };
  const showKeys = () => {
    if (help && !help.open) help.showModal();
    return Boolean(help);
  };
  const keys = {
    ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
    y: () => decide("yes"), m: () => decide("maybe"), n: () => decide("no"),
    Y: () => decideTicked("yes"), M: () => decideTicked("maybe"), N: () => decideTicked("no"),
    x: () => {
      const box = current?.querySelector("input[type=checkbox][name=creator]");
      if (box) { box.checked = !box.checked; count(); }
      return Boolean(box);
    },
    u: () => {
      const form = document.querySelector("form[data-undo]");
      if (form) form.requestSubmit();
      return Boolean(form);
    },
    c: () => {
      const field = (current?.querySelector("form[data-decide]") || bar || document.querySelector("form[data-decide]"))
        ?.querySelector("textarea[name=comment]");
      field?.focus({ preventScroll: true });
      // a bar that sticks comes into sight by itself
      const within = field?.closest(".bulk, .decision.alone");
      if (within && getComputedStyle(within).position !== "sticky") field.scrollIntoView({ block: "nearest" });
      return Boolean(field);
    },
    "?": showKeys,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || help?.open) return;
    const field = event.target instanceof Element
      && event.target.closest("input:not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]");
    if (field) {
      if (event.key === "Escape") {
        field.blur();
        if (current) choose(current, true);
      }
      return;
    }
    if (Object.hasOwn(keys, event.key) && keys[event.key]()) event.preventDefault();
  });
  const offerKeys = (within) => all("[data-keys]", within).forEach((one) => {
    one.hidden = false;
    one.addEventListener("click", showKeys);
  });
  offerKeys(document);
})();

// A page that is served while a run goes on: asks for what is new, and puts it in place.
"use strict";
(() => {
  const { make, show } = chainrule, live = JSON.parse(document.getElementById("live").textContent);
  const main = document.getElementById("main"), header = document.querySelector("header");
  const status = make("p", { role: "status", class: "note" }, "Waiting for the first figures …"), bar = make("i", { style: "width:0" });
  header.append(make("div", { class: "progress", "aria-hidden": "true" }, bar), status);
  let version = live.version, failures = 0;

  function replace(sections) {
    const focused = document.activeElement?.closest("section")?.id;
    for (const [place, { name, html }] of sections.entries()) {
      const old = document.getElementById(name), holder = make("div");
      if (old && name === focused && name !== "curves") continue;
      holder.innerHTML = html;
      if (old) old.replaceWith(holder.firstChild); else main.insertBefore(holder.firstChild, main.children[place] || null);
    }
    const menu = document.getElementById("menu");
    menu.replaceChildren(...[...main.children].map((each) => make("a", { href: `#${each.id}` }, each.dataset.title)));
    chainrule.begin(main); chainrule.menu();
  }
  function tell({ epoch, epochs, batches, done, figures, over }) {
    if (!epoch) return;
    const share = over ? 1 : Math.min(1, (epoch - 1 + (batches ? done / batches : 0)) / epochs);
    bar.style.width = `${100 * share}%`;
    const now = Object.entries(figures || {}).map(([name, value]) => `${name} ${show(value, 4)}`).join(", ");
    status.textContent = over ? `The run is over. This page is kept as ${live.file}/report.html.` : `Epoch ${epoch} of ${epochs}${batches ? `, update ${done} of ${batches}` : ""}${now ? `: ${now}` : ""}`;
  }
  async function ask() {
    try {
      const answer = await fetch("state", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ version }) });
      const state = await answer.json();
      failures = 0;
      if (state.sections.length) replace(state.sections);
      version = state.version; tell(state.progress);
      if (state.progress.over) return;
    } catch {
      failures += 1;
      if (failures > 5) { status.textContent = `The run does not answer any more: it is over, or was stopped. What it kept is in ${live.file}.`; return; }
    }
    setTimeout(ask, 1000);
  }
  ask();
})();

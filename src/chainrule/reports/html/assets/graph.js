// A computation graph, folded: only what is open is laid out (dagre) and drawn, so that its size does not matter.
"use strict";
chainrule.view("[data-graph]", (root) => {
  const { make, show } = chainrule, data = chainrule.data(root), text = (number) => data.texts[number];
  const canvas = root.querySelector(".canvas"), panel = root.querySelector(".panel"), phase = root.querySelector(".phase");
  const AT_FIRST = 26, LONGEST = 30, TITLE = 12;
  const nodes = data.nodes.map(([name, kind, phase, type, formula, args, inputs, rule, source, derives, value, gradient], id) => ({
    id, name, kind: text(kind), phase: text(phase), type: text(type), formula: text(formula), args: args.map(text), inputs, rule: text(rule), source: text(source), derives, value, gradient, users: [],
  }));
  nodes.forEach((node) => node.inputs.forEach((each) => nodes[each].users.push(node.id)));
  const groups = [];
  const asGroup = ([name, members], parent) => {
    const group = { id: `g${groups.length}`, name, parent, open: false, count: 0 };
    groups.push(group);
    group.members = members.map((each) => (Array.isArray(each) ? asGroup(each, group) : each));
    for (const each of group.members) {
      if (typeof each === "number") nodes[each].parent = group;
      group.count += typeof each === "number" ? 1 : each.count;
    }
    const first = group.members[0];
    group.phase = typeof first === "number" ? nodes[first].phase : first.phase;
    return group;
  };
  const tree = asGroup(data.tree, null);
  let scale = 1, chosen = null, places = new Map();

  // Opens groups from the outside in while everything still fits on a screen.
  const openMore = (most) => {
    let waiting = [tree];
    let shown = groups.filter((group) => !group.open && isVisible(group)).length || 1;
    while (waiting.length) {
      const group = waiting.shift();
      const isInnermost = group.members.every((each) => typeof each === "number" || /^part \d/.test(each.name));
      if (!group.open && group !== tree && (shown + group.members.length > most || (isInnermost && most === AT_FIRST))) continue;
      if (!group.open) shown += group.members.length - 1;
      group.open = true;
      waiting.push(...group.members.filter((each) => typeof each !== "number"));
    }
  };
  const isVisible = (each) => { for (let at = each.parent; at; at = at.parent) if (!at.open) return false; return true; };
  const wanted = (each) => phase.value === "all" || each === tree || each.phase === phase.value;
  // What stands for a node on the screen: itself, or the outermost group around it that is closed.
  const standIn = (node) => {
    let found = node;
    for (let at = node.parent; at; at = at.parent) if (!at.open) found = at;
    return found;
  };

  const label = (each) => (each.members ? each.name : each.kind === "input" || each.kind === "parameter" ? each.name : each.kind);
  const shape = (type) => type.split(/(?<=\]), /)[0].replace("float32", "") || "number";
  const last = (group) => { const inner = group.members[group.members.length - 1]; return typeof inner === "number" ? nodes[inner] : last(inner); };
  const under = (each) => (each.members ? `${each.count} · ${shape(last(each).type)}` : shape(each.type));
  const cut = (words) => (words.length > LONGEST ? `${words.slice(0, LONGEST - 1)}…` : words);

  function layout() {
    const graph = new dagre.graphlib.Graph({ compound: true });
    graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 34, marginx: 14, marginy: 28 });
    graph.setDefaultEdgeLabel(() => ({}));
    const seen = new Map(), boxes = new Set();
    const add = (each) => {
      if (!wanted(each)) return;
      if (each.members && each.open) {
        const inner = each.members.map((member) => (typeof member === "number" ? nodes[member] : member)).filter(wanted);
        if (each !== tree && inner.length) { graph.setNode(`b${each.id}`, { box: each }); boxes.add(each); within(`b${each.id}`, each); }
        inner.forEach(add);
        return;
      }
      const title = cut(label(each)), below = cut(under(each));
      const width = Math.max(70, Math.max(title.length * 7.4, below.length * 6.3) + 22);
      graph.setNode(String(each.id), { each, title, below, width, height: 42 });
      seen.set(each, String(each.id)); within(String(each.id), each);
    };
    const within = (name, each) => { if (each.parent && boxes.has(each.parent)) graph.setParent(name, `b${each.parent.id}`); };
    add(tree);
    const edges = new Map();
    for (const node of nodes) {
      const to = standIn(node);
      if (!seen.has(to)) continue;
      for (const input of node.inputs) {
        const from = standIn(nodes[input]);
        if (from !== to && seen.has(from)) edges.set(`${seen.get(from)} ${seen.get(to)}`, node.phase === "backward");
      }
    }
    for (const [key, back] of edges) { const [from, to] = key.split(" "); graph.setEdge(from, to, { back }); }
    dagre.layout(graph);
    return graph;
  }

  function draw() {
    const graph = layout(), size = graph.graph();
    const picture = make("svg", { viewBox: `0 0 ${size.width || 100} ${size.height || 60}`, role: "presentation" });
    picture.append(make("defs", {}, make("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, make("path", { d: "M0 0L8 4L0 8z", class: "tip" }))));
    places = new Map();
    const later = [];
    for (const name of graph.nodes()) {
      const place = graph.node(name);
      if (place.box) picture.append(box(place)); else { later.push(node(name, place)); places.set(name, place); }
    }
    for (const edge of graph.edges()) {
      const { points, back } = graph.edge(edge);
      const d = points.map((point, n) => `${n ? "L" : "M"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
      picture.append(make("path", { d, class: back ? "edge back" : "edge", "marker-end": "url(#tip)", "data-from": edge.v, "data-to": edge.w }));
    }
    picture.append(...later);
    canvas.replaceChildren(picture);
    zoom();
  }
  function box(place) {
    const left = place.x - place.width / 2, top = place.y - place.height / 2 - TITLE;
    const close = () => { place.box.open = false; redraw(place.box); };
    return make("g", { class: "box" }, make("rect", { x: left, y: top, width: place.width, height: place.height + TITLE }),
      make("text", { x: left + 10, y: top + 14, click: close }, `▾ ${cut(place.box.name)}`));
  }
  function node(name, place) {
    const each = place.each, folded = Boolean(each.members), left = place.x - place.width / 2, top = place.y - place.height / 2;
    const kind = [folded ? "folded" : "", each.phase, each.kind === "input" || each.kind === "parameter" ? "input" : "", each === chosen ? "chosen" : ""].join(" ");
    const said = folded ? `${each.name}, ${each.count} nodes, folded` : `${each.name}, ${each.type}`;
    return make("g", { class: `node ${kind}`, tabindex: 0, role: "button", "aria-label": said, "aria-expanded": folded ? "false" : null, "data-id": name,
      click: () => choose(each, true), keydown: (event) => keys(event, each), focus: () => light(name) },
    make("rect", { x: left, y: top, width: place.width, height: place.height }),
    make("text", { x: place.x, y: top + 18, "text-anchor": "middle" }, place.title),
    make("text", { x: place.x, y: top + 34, "text-anchor": "middle", class: "small" }, (folded ? "▸ " : "") + place.below));
  }
  const light = (name) => canvas.querySelectorAll(".edge").forEach((edge) => edge.classList.toggle("lit", edge.dataset.from === name || edge.dataset.to === name));

  function choose(each, byHand) {
    if (each.members && byHand) { each.open = true; redraw(each.members.map((m) => (typeof m === "number" ? nodes[m] : m)).find(isVisible)); return; }
    chosen = each;
    canvas.querySelectorAll(".node").forEach((shape) => shape.classList.toggle("chosen", shape.dataset.id === String(each.id)));
    light(String(each.id)); describe(each);
  }
  function redraw(focus) {
    draw();
    const shape = focus && canvas.querySelector(`[data-id="${standIn(focus).id}"]`);
    if (shape) { shape.focus({ preventScroll: true }); center(shape); if (!standIn(focus).members) choose(standIn(focus)); }
  }
  function center(shape) {
    const a = shape.getBoundingClientRect(), b = canvas.getBoundingClientRect();
    canvas.scrollBy({ left: a.x + a.width / 2 - b.x - b.width / 2, top: a.y + a.height / 2 - b.y - b.height / 2 });
  }
  // Up and down follow the edges, left and right go to what stands beside, Escape closes the group around.
  function keys(event, each) {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(each, true); return; }
    if (event.key === "Escape" && each.parent && each.parent !== tree) { each.parent.open = false; redraw(each.parent); return; }
    const own = places.get(String(each.id)), near = [...places.values()].filter((place) => place !== own);
    const toward = { ArrowUp: (p) => own.y - p.y, ArrowDown: (p) => p.y - own.y, ArrowLeft: (p) => own.x - p.x, ArrowRight: (p) => p.x - own.x }[event.key];
    if (!toward) return;
    event.preventDefault();
    const cost = (p) => { const along = toward(p), all = Math.hypot(p.x - own.x, p.y - own.y); return along > 4 ? all + 3 * Math.sqrt(Math.max(0, all * all - along * along)) : Infinity; };
    const best = near.reduce((a, b) => (cost(b) < cost(a) ? b : a), near[0]);
    if (!best || cost(best) === Infinity) return;
    const shape = canvas.querySelector(`[data-id="${best.each.id}"]`);
    shape.focus({ preventScroll: true }); center(shape); choose(best.each, false);
  }

  const pair = (name, ...values) => (values[0] === "" || values[0] === undefined ? [] : [make("dt", {}, name), make("dd", {}, ...values)]);
  function numbers(title, row) {
    if (!row) return [];
    const [mean, deviation, low, high, zeros, bad, elements] = row;
    const parts = elements && elements.length === 1 ? pair("value", show(elements[0])) : [
      ...(elements ? pair("elements", elements.map((each) => show(each)).join(", ")) : []),
      ...pair("mean", `${show(mean)} ± ${show(deviation)}`), ...pair("range", `${show(low)} to ${show(high)}`), ...pair("zeros", `${show(100 * zeros, 3)} %`)];
    return [make("h4", {}, title), make("dl", {}, ...parts, ...(bad ? pair("not finite", make("b", { class: "bad" }, String(bad))) : []))];
  }
  const link = (id) => make("button", { type: "button", class: "go", click: () => go(nodes[id]) }, nodes[id].name);
  function go(each) {
    if (!wanted(each)) phase.value = "all";
    for (let at = each.parent; at; at = at.parent) at.open = true;
    redraw(each);
  }
  function describe(each) {
    if (each.members) { panel.replaceChildren(make("h3", {}, each.name), make("p", { class: "note" }, `${each.count} nodes, folded. Enter or a click opens it.`)); return; }
    const formula = each.formula.replace(/\{(\d+)\}/g, (_, place) => each.args[place]);
    const back = nodes.filter((other) => other.derives === each.id);
    panel.replaceChildren(make("h3", {}, each.name), make("dl", {},
      ...pair("kind", each.kind), ...pair("shape", each.type), ...(formula ? pair("formula", make("span", { class: "formula" }, formula)) : []),
      ...(each.rule ? pair("derivative", make("span", { class: "formula" }, each.rule)) : []), ...(each.source ? pair("your line", make("code", {}, each.source)) : [])),
    ...numbers("Value", each.value), ...numbers("Gradient of the loss by it", each.gradient),
    ...(each.inputs.length ? [make("h4", {}, "Computed from"), make("div", { class: "controls" }, ...each.inputs.map(link))] : []),
    ...(each.users.length ? [make("h4", {}, "Read by"), make("div", { class: "controls" }, ...each.users.slice(0, 12).map(link))] : []),
    ...(back.length ? [make("h4", {}, "Its part of the backward pass"), make("div", { class: "controls" }, ...back.slice(0, 12).map((other) => link(other.id)))] : []),
    ...(each.derives >= 0 ? [make("h4", {}, "Is part of the derivative of"), make("div", { class: "controls" }, link(each.derives))] : []));
  }
  const zoom = () => { const picture = canvas.firstChild, view = picture.viewBox.baseVal; picture.style.width = `${view.width * scale}px`; };
  const actions = {
    in: () => { scale = Math.min(2.5, scale * 1.25); zoom(); }, out: () => { scale = Math.max(0.2, scale / 1.25); zoom(); },
    fold: () => { groups.forEach((group) => { group.open = group === tree; }); redraw(chosen); },
    unfold: () => { openMore(Math.max(40, 3 * canvas.querySelectorAll(".node").length)); redraw(chosen); },
  };
  root.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", actions[button.dataset.do]));
  // The highest box is in sight at first, on a phone too.
  const begin = () => {
    draw();
    const top = (shape) => shape.getBoundingClientRect().y, shapes = [...canvas.querySelectorAll(".node")];
    if (shapes.length) center(shapes.reduce((first, each) => (top(each) < top(first) ? each : first)));
  };
  phase.addEventListener("change", begin);
  openMore(AT_FIRST); begin();
});

// The playground: draws one cycle of backpropagation as far as it has come, and works out what is chosen.
"use strict";
chainrule.view("[data-learn]", (root) => {
  const { make, show } = chainrule, find = (selector) => root.querySelector(selector);
  const net = find(".net"), panel = find(".panel"), stages = find(".stages"), reading = find(".reading");
  const n = (value) => show(value, 5), signed = (value) => (value < 0 ? `(${n(value)})` : n(value));
  let state = chainrule.data(root), stage = 0, chosen = { layer: 1, to: 0, from: 0 }, busy = false;
  const layers = () => state.cycle.layers, depth = () => layers().length;
  const names = () => [
    "example", ...layers().map((_, l) => (l + 1 < depth() ? `forward ${l + 1}` : "output")), "error",
    ...layers().map((_, l) => (l ? `back ${depth() - l}` : "error signal")), "gradients", "update"];
  // What has been reached: layers forward, the error, layers back (from the last), gradients, the update.
  const reached = () => ({ forward: stage, error: stage > depth(), back: stage - depth() - 1, gradients: stage > 2 * depth() + 1, update: stage > 2 * depth() + 2 });
  const hasOutput = (l) => reached().forward > l, hasDelta = (l) => reached().back >= depth() - l;
  const before = (l) => (l ? layers()[l - 1].output : state.cycle.inputs);
  const nameOf = (l, u) => (l < 0 ? `x${sub(u + 1)}` : l + 1 === depth() ? "y" : depth() === 2 ? `h${sub(u + 1)}` : `h${sub(l + 1)}${"₋"}${sub(u + 1)}`.replace("₋", ","));
  const sub = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

  async function ask(asked) {
    if (busy) return;
    busy = true;
    try {
      const answer = await fetch("act", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) });
      if (!answer.ok) throw new Error(await answer.text());
      state = await answer.json();
    } catch (error) { reading.textContent = `The playground does not answer: ${error.message}. Is chainrule learn still running?`; }
    busy = false;
    if (!fits()) chosen = { layer: depth() - 1, to: 0, from: 0 };
    draw();
  }
  const fits = () => chosen.layer < depth() && chosen.to < layers()[chosen.layer].bias.length && (chosen.from === undefined || chosen.from < before(chosen.layer).length);

  // -- the network

  const WIDTH = 640, HEIGHT = 300, RADIUS = 25;
  const place = (l, u) => {
    const count = l < 0 ? state.cycle.inputs.length : layers()[l].bias.length;
    return { x: 50 + ((l + 1) / depth()) * (WIDTH - 120), y: (HEIGHT * (u + 0.5)) / count };
  };
  function drawNet() {
    const picture = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 6}`, role: "group", "aria-label": "The network" }), units = [];
    layers().forEach((layer, l) => layer.weight.forEach((row, to) => {
      row.forEach((_, from) => picture.append(wire(l, to, from)));
      units.push(unit(l, to));
    }));
    state.cycle.inputs.forEach((value, u) => {
      const at = place(-1, u);
      units.push(make("g", { class: "unit" }, make("circle", { cx: at.x, cy: at.y, r: RADIUS }), make("text", { x: at.x, y: at.y - 1 }, nameOf(-1, u)), make("text", { x: at.x, y: at.y + 14 }, show(value, 3))));
    });
    picture.append(...units);
    const end = place(depth() - 1, 0);
    picture.append(make("text", { x: end.x + 6, y: end.y + 62, "text-anchor": "middle" }, `target ${show(state.cycle.target[0], 3)}`));
    if (reached().error) picture.append(make("text", { x: end.x + 6, y: end.y + 80, "text-anchor": "middle" }, `E = ${n(state.cycle.error)}`));
    net.replaceChildren(picture);
  }
  function wire(l, to, from) {
    const a = place(l - 1, from), b = place(l, to), layer = layers()[l], weight = (reached().update ? layer.new_weight : layer.weight)[to][from];
    const is = chosen.layer === l && chosen.to === to && chosen.from === from, few = layer.weight.length * before(l).length <= 8;
    const value = reached().gradients && !reached().update ? layer.weight_gradient[to][from] : weight, t = 0.3 + 0.12 * (to % 2);
    const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
    const said = `Weight from ${nameOf(l - 1, from)} to ${nameOf(l, to)}, ${n(weight)}`;
    return make("g", { class: `wire ${weight < 0 ? "below" : "above"} ${is ? "chosen" : ""}`, tabindex: 0, role: "button", "aria-label": said, "data-wire": `${l},${to},${from}`, click: () => pick({ layer: l, to, from }), keydown: (event) => keys(event, { layer: l, to, from }) },
      make("title", {}, said), make("line", { ...ends, class: "seen", "stroke-width": Math.min(9, 1 + 2 * Math.abs(weight)), opacity: 0.6 }), make("line", { ...ends, class: "hit" }),
      few || is ? make("text", { x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y) - 5 }, show(value, 3)) : null);
  }
  function unit(l, u) {
    const at = place(l, u), layer = layers()[l], is = chosen.layer === l && chosen.to === u && chosen.from === undefined;
    const now = stage === l + 1 || stage === 2 * depth() - l + 1;
    return make("g", { class: `unit ${is ? "chosen" : ""} ${now ? "now" : ""}`, tabindex: 0, role: "button", "aria-label": `Unit ${nameOf(l, u)}`, "data-unit": `${l},${u}`, click: () => pick({ layer: l, to: u }), keydown: (event) => keys(event, { layer: l, to: u }) },
      make("circle", { cx: at.x, cy: at.y, r: RADIUS }), make("text", { x: at.x, y: at.y - 1 }, nameOf(l, u)), make("text", { x: at.x, y: at.y + 14 }, hasOutput(l) ? show(layer.output[u], 3) : "?"),
      hasDelta(l) ? make("text", { x: at.x, y: at.y + RADIUS + 14, class: "delta" }, `δ ${show(layer.delta[u], 3)}`) : null);
  }
  const pick = (what) => { chosen = what; drawNet(); work(); focusChosen(); };
  const focusChosen = () => net.querySelector(chosen.from === undefined ? `[data-unit="${chosen.layer},${chosen.to}"]` : `[data-wire="${chosen.layer},${chosen.to},${chosen.from}"]`)?.focus({ preventScroll: true });
  function keys(event, what) {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(what); return; }
    const all = [...net.querySelectorAll("[tabindex]")], at = all.indexOf(event.currentTarget);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step && all[at + step]) { event.preventDefault(); all[at + step].focus(); }
  }

  // -- the chosen weight or unit, worked out

  const step = (...parts) => make("div", { class: "step" }, ...parts), bold = (text) => make("b", {}, text), lines = (...parts) => parts.map((part) => make("div", {}, ...[part].flat()));
  const button = (text, what) => make("button", { type: "button", click: () => pick(what) }, text);
  function work() { panel.replaceChildren(...(chosen.from === undefined ? workUnit(chosen.layer, chosen.to) : workWeight(chosen.layer, chosen.to, chosen.from))); }
  function workUnit(l, u) {
    const layer = layers()[l], inputs = before(l), name = nameOf(l, u);
    const sum = layer.weight[u].map((weight, from) => `${signed(weight)}·${signed(inputs[from])}`).join(" + ");
    return [make("h3", {}, `The unit ${name}`),
      step(...lines([bold("Net input"), ": weights times what comes in, and the bias"], `net = ${sum} + ${signed(layer.bias[u])}`, [bold(`net = ${n(layer.net[u])}`)])),
      step(...lines([bold("Output"), `: ${layer.function} of it`], [bold(`${name} = ${n(layer.output[u])}`)])),
      step(...errorSignal(l, u)),
      make("h4", {}, "Its weights"), make("div", { class: "controls" }, ...layer.weight[u].map((weight, from) => button(`from ${nameOf(l - 1, from)}`, { layer: l, to: u, from }))),
      step(...lines([bold("Its bias"), ` ${n(layer.bias[u])}: the derivative of E by it is δ`], `${n(layer.bias[u])} − ${show(state.choice.rate)}·${signed(layer.bias_gradient[u])} = ${n(layer.new_bias[u])}`))];
  }
  function errorSignal(l, u) {
    const layer = layers()[l], name = nameOf(l, u);
    const sources = l + 1 === depth() ? [`∂E/∂y = y − target = ${n(layer.output[u])} − ${n(state.cycle.target[u])}`]
      : [`∂E/∂${name} = Σ δ·weight over the units it feeds`, `= ${layers()[l + 1].delta.map((delta, k) => `${signed(delta)}·${signed(layers()[l + 1].weight[k][u])}`).join(" + ")}`];
    return lines([bold("Error signal")], ...sources, [bold(`∂E/∂${name} = ${n(layer.error_by_output[u])}`)],
      `δ = ∂E/∂${name} · ${layer.function}′(net) = ${signed(layer.error_by_output[u])}·${signed(layer.slope[u])}`, [bold(`δ = ${n(layer.delta[u])}`)]);
  }
  function workWeight(l, to, from) {
    const layer = layers()[l], value = before(l)[from], weight = layer.weight[to][from], gradient = layer.weight_gradient[to][from], name = nameOf(l, to), source = nameOf(l - 1, from);
    return [make("h3", {}, `The weight from ${source} to ${name}`), make("p", {}, `It is ${n(weight)}. How much did it contribute to the error?`),
      make("p", { class: "formula" }, `∂E/∂w = ∂E/∂${name} · ∂${name}/∂net · ∂net/∂w`),
      step(...lines([bold("1. "), `How the error changes with ${name}`], [bold(`∂E/∂${name} = ${n(layer.error_by_output[to])}`)], l + 1 === depth() ? `y − target = ${n(layer.output[to])} − ${n(state.cycle.target[to])}`
        : `Σ δ·w = ${layers()[l + 1].delta.map((delta, k) => `${signed(delta)}·${signed(layers()[l + 1].weight[k][to])}`).join(" + ")}`)),
      step(...lines([bold("2. "), `How ${name} changes with its net input`], [bold(`${layer.function}′(${n(layer.net[to])}) = ${n(layer.slope[to])}`)])),
      step(...lines([bold("3. "), `How the net input changes with the weight: as ${source}`], [bold(`∂net/∂w = ${source} = ${n(value)}`)])),
      make("p", { class: "result" }, `∂E/∂w = ${signed(layer.error_by_output[to])} · ${signed(layer.slope[to])} · ${signed(value)} = ${n(gradient)}`),
      step(...lines([bold("The update"), ": against the gradient"], `w − rate·∂E/∂w = ${n(weight)} − ${show(state.choice.rate)}·${signed(gradient)}`, [bold(`new w = ${n(layer.new_weight[to][from])}`)])),
      make("p", { class: "note" }, `All weights updated so, the error of this example goes from ${n(state.cycle.error)} to ${n(state.cycle.error_after)}.`),
      make("div", { class: "controls" }, button(`the unit ${name}`, { layer: l, to }), l ? button(`the unit ${source}`, { layer: l - 1, to: from }) : null)];
  }

  // -- the plane, the errors, the stages

  function drawPlane() {
    const size = 220, at = (v) => ((v + state.edge) / (2 * state.edge)) * size;
    const picture = make("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": "Answers in the plane: blue below one half, orange above" });
    const image = document.createElementNS("http://www.w3.org/2000/svg", "image");
    for (const [key, value] of Object.entries({ href: state.surface, width: size, height: size, opacity: 0.75 })) image.setAttribute(key, value);
    picture.append(image, ...state.points.map(([x, y], number) => {
      const is = number === state.example, kind = state.targets[number] ? "one" : "none", half = is ? 6.5 : 4.5;
      const shape = state.targets[number] ? make("circle", { cx: at(x), cy: size - at(y), r: half }) : make("rect", { x: at(x) - half + 0.5, y: size - at(y) - half + 0.5, width: 2 * half - 1, height: 2 * half - 1 });
      return make("g", { class: `point ${kind} ${is ? "now" : ""}`, click: () => { stage = 0; ask({ do: "example", example: number }); } }, make("title", {}, `example ${number + 1}: target ${state.targets[number]}`), shape);
    }));
    find(".plane").replaceChildren(picture, make("output", { class: "reading" }, "● target 1   ■ target 0. Choose a point to take it as the example."));
  }
  function drawErrors() {
    const width = 380, height = 190, last = state.errors[state.errors.length - 1], most = Math.max(...state.errors.map((e) => e[1])) || 1;
    const x = (updates) => 44 + (updates / Math.max(1, last[0])) * (width - 56), y = (error) => height - 24 - (error / most) * (height - 38);
    const points = state.errors.map(([updates, error], number) => `${number ? "L" : "M"}${x(updates).toFixed(1)} ${y(error).toFixed(1)}`).join("");
    find(".errors").replaceChildren(make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Mean error over updates" },
      ...[0, most].map((mark) => [make("line", { class: "grid", x1: 44, x2: width - 12, y1: y(mark), y2: y(mark) }), make("text", { x: 38, y: y(mark) + 4, "text-anchor": "end" }, show(mark, 3))]).flat(),
      make("path", { class: "series s0", d: points }), make("circle", { class: "dot s0", cx: x(last[0]), cy: y(last[1]), r: 3.5 }), make("text", { x: width - 12, y: height - 6, "text-anchor": "end" }, `${last[0]} updates`)),
    make("output", { class: "reading" }, "over all examples: ", bold(show(last[1]))));
  }
  function draw() {
    drawNet(); work(); drawPlane(); drawErrors();
    stages.replaceChildren(...names().map((name, number) => make("li", { class: number === stage ? "here" : "", "aria-current": number === stage ? "step" : null }, name)));
    find("figcaption").textContent = `Example ${state.example + 1} of ${state.points.length}`;
    reading.textContent = say();
    find('[data-do="back"]').disabled = stage === 0 && !state.can_undo;
    for (const name of ["problem", "activation"]) find(`[name=${name}]`).value = state.choice[name];
    find("[name=hidden]").value = state.choice.hidden.join(", "); find("[name=rate]").value = String(state.choice.rate);
  }
  function say() {
    const r = reached();
    if (r.update) return `Each weight has moved against its gradient; the error of this example is now ${n(state.cycle.error_after)}. Next takes the next example.`;
    if (r.gradients) return "Each weight's gradient: the error signal δ of the unit it goes to, times the output it comes from. It stands at the lines.";
    if (r.back > 0) return "Back: the error signal δ of each unit, from those of the units it feeds, through the same weights.";
    if (r.error) return `The error: ½(y − target)² = ${n(state.cycle.error)}.`;
    return stage ? "Forward: each unit adds up weights times inputs, and takes its function of the sum." : "The example's inputs, and the weights as they are.";
  }
  const actions = {
    next: () => { if (stage + 1 < names().length) { stage += 1; draw(); } else { stage = 0; ask({ do: "update" }); } },
    back: () => { if (stage) { stage -= 1; draw(); } else { stage = names().length - 1; ask({ do: "undo" }); } },
    cycle: () => { stage = 0; ask({ do: "update" }); },
    sweep: (button) => { stage = 0; ask({ do: "train", sweeps: Number(button.dataset.sweeps) }); },
    again: () => { stage = 0; ask({ do: "restart", choice: { ...state.choice, seed: state.choice.seed + 1 } }); },
  };
  root.querySelectorAll("[data-do]").forEach((each) => each.addEventListener("click", () => actions[each.dataset.do](each)));
  root.querySelectorAll("select").forEach((each) => each.addEventListener("change", () => {
    if (each.name === "rate") { ask({ do: "rate", rate: Number(each.value) }); return; }
    const value = each.name === "hidden" ? each.value.split(", ").map(Number) : each.value;
    stage = 0; ask({ do: "restart", choice: { ...state.choice, [each.name]: value } });
  }));
  draw();
});

// One example: the chain rule of the weight that is chosen, in a list or in a map, worked out in numbers.
"use strict";
chainrule.view("[data-sample]", (root) => {
  const { make, show, unpack } = chainrule, data = JSON.parse(root.querySelector(":scope > script.data").textContent);
  const panel = root.querySelector(".panel"), n = (value) => show(value, 6), signed = (value) => (value < 0 ? `(${n(value)})` : n(value));
  const bold = (text) => make("b", {}, text), step = (...parts) => make("div", { class: "step" }, ...parts.map((part) => make("div", {}, ...[part].flat())));
  const unpacked = new Map(), array = (packed) => { if (!unpacked.has(packed)) unpacked.set(packed, unpack(packed)); return unpacked.get(packed); };

  function work(parameter, index, weight, gradient, places = [], count = 0) {
    const layer = data.layers.find((each) => each.parameters.includes(parameter));
    const change = -data.rate * gradient, dense = layer && layer.inputs, unit = index[0], isWeight = index.length === 2;
    const steps = dense ? denseSteps(layer, unit, isWeight ? index[1] : null) : [step([bold("1. "), "This weight takes part at many places of the example"], "∂E/∂w is the sum over all of them of ∂E/∂output · input."), ...(places.length ? [placeSteps(places, count)] : [])];
    const factors = !dense ? [] : isWeight ? [array(layer.cotangent)[unit], array(layer.inputs)[index[1]]] : [array(layer.cotangent)[unit]];
    panel.replaceChildren(make("h3", {}, `${parameter}[${index.join(", ")}]`), make("p", {}, `It is ${n(weight)}. How much did it contribute to the error of this example?`),
      make("p", { class: "formula" }, dense ? (isWeight ? "∂E/∂w = ∂E/∂net · ∂net/∂w" : "∂E/∂b = ∂E/∂net") : "∂E/∂w = Σ ∂E/∂output · input"), ...steps,
      make("p", { class: "result" }, `∂E/∂${isWeight || !dense ? "w" : "b"} = ${factors.length ? `${factors.map(signed).join(" · ")} = ` : ""}${n(gradient)}`),
      step([bold("The update"), `: against the gradient, rate ${show(data.rate)}`], `change = −${show(data.rate)} · ${signed(gradient)} = ${n(change)}`, [bold(`new w = ${n(weight + change)}`)]),
      make("p", { class: "note" }, `All weights moved so, the loss of this example goes from ${n(data.loss)} to ${n(data.loss_after)}.`));
  }
  function denseSteps(layer, unit, input) {
    const delta = array(layer.cotangent)[unit];
    const first = layer.function
      ? step([bold("1. "), `How the error changes with net input ${unit}: through its ${layer.function}`], `∂E/∂net = ∂E/∂output · ${layer.function}′(net)`, `= ${signed(array(layer.back)[unit])} · ${signed(array(layer.slope)[unit])}`, [bold(`∂E/∂net = ${n(delta)}`)])
      : step([bold("1. "), `How the error changes with net input ${unit}`], [bold(`∂E/∂net = ${n(delta)}`)]);
    if (input === null) return [first, step([bold("2. "), "The bias is added as it is"], "∂net/∂b = 1")];
    return [first, step([bold("2. "), `How net input ${unit} changes with the weight: as its input ${input}`], [bold(`∂net/∂w = ${n(array(layer.inputs)[input])}`)])];
  }
  function placeSteps(places, count) {
    const where = (each) => `output [${each.output.join(", ")}]${each.input.length ? `, input [${each.input.join(", ")}]` : ""}`;
    const terms = places.map((each) => `${signed(each.cotangent)} · ${signed(each.activation)} = ${n(each.cotangent * each.activation)}  at ${where(each)}`);
    const left = count - places.length;
    return step([bold("2. "), left ? `The largest of ${count} terms` : `All ${count} terms`], ...terms, ...(left ? [`and ${left} others`] : []));
  }
  root.querySelectorAll("[data-change]").forEach((button) => button.addEventListener("click", () => {
    const change = data.changes[Number(button.dataset.change)];
    work(change.parameter, change.index, change.value, change.gradient, change.places, change.place_count);
  }));
  // A cell of a map of gradients is a weight: which one follows from the shape.
  root.querySelectorAll("[data-parameter] [data-maps]").forEach((figure) => {
    const parameter = figure.parentElement.dataset.parameter, shape = data.shapes[parameter];
    const held = chainrule.once(() => { const own = chainrule.data(figure); return { own, gradient: unpack(own.arrays["∂E/∂w"]), weight: unpack(own.arrays.w) }; });
    figure.addEventListener("cell", (event) => {
      const { own, gradient, weight } = held(), [height, width] = own.shape, { map, row, column } = event.detail, number = own.numbers[map], at = (map * height + row) * width + column;
      let flat = (number * height + row) * width + column;
      const index = shape.slice().reverse().map((size) => { const place = flat % size; flat = Math.floor(flat / size); return place; }).reverse();
      work(parameter, index, weight[at], gradient[at]);
    });
  });
  root.querySelector("[data-change]")?.click();
});

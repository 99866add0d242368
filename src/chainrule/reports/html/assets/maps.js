// Maps of numbers: the cell under the pointer, or where the arrow keys lead, is framed and read out.
"use strict";
chainrule.view("[data-maps]", (figure) => {
  const reading = figure.querySelector("output"), places = new Map();
  const held = chainrule.once(() => chainrule.data(figure)), arrays = chainrule.once(() => Object.entries(held().arrays).map(([name, packed]) => [name, chainrule.unpack(packed)]));
  function read(map, row, column) {
    const data = held(), [height, width] = data.shape, number = Number(map.dataset.map), at = map.querySelector(".at"), cell = (number * height + row) * width + column;
    figure.querySelectorAll(".at").forEach((each) => { each.style.display = "none"; });
    Object.assign(at.style, { display: "block", left: `${(100 * column) / width}%`, top: `${(100 * row) / height}%`, width: `${100 / width}%`, height: `${100 / height}%` });
    places.set(map, [row, column]);
    reading.replaceChildren(`${data.names[number]}, ${height > 1 ? `row ${row}, column ` : "place "}${column}:  `, ...arrays().flatMap(([name, numbers]) => [`${name} `, chainrule.make("b", {}, chainrule.show(numbers[cell])), "  "]));
    figure.dispatchEvent(new CustomEvent("cell", { detail: { map: number, row, column }, bubbles: true }));
  }
  figure.querySelectorAll("[data-map]").forEach((map) => {
    const under = (event) => {
      const [height, width] = held().shape, box = map.getBoundingClientRect(), part = (offset, size, count) => Math.max(0, Math.min(count - 1, Math.floor((offset / size) * count)));
      read(map, part(event.clientY - box.top, box.height, height), part(event.clientX - box.left, box.width, width));
    };
    map.addEventListener("pointermove", under);
    map.addEventListener("pointerdown", under);
    map.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const [height, width] = held().shape, [row, column] = places.get(map) || [-step[0], -step[1]];
      read(map, Math.max(0, Math.min(height - 1, row + step[0])), Math.max(0, Math.min(width - 1, column + step[1])));
    });
  });
});

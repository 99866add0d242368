// What every page has: numbers as the engine writes them, parts that are set in motion, figures that can be read.
"use strict";
const chainrule = { views: [] };

// The digits of numbers.py: significant ones, no zeros at the end.
chainrule.show = function (number, digits = 6) {
  if (number === null || number === undefined) return "–";
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  if (number === 0) return "0";
  const [mantissa, exponent] = number.toExponential(digits - 1).split("e");
  const power = Number(exponent), size = Math.abs(number);
  const trimmed = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
  if (size >= 1e-4 && size < 1e7) return trimmed(number.toFixed(Math.max(0, digits - 1 - power)));
  return `${trimmed(mantissa)}e${power}`;
};

// An element (or one of SVG) with attributes, listeners and children.
chainrule.make = function (name, attributes = {}, ...children) {
  const drawn = ["svg", "g", "rect", "circle", "line", "path", "text", "tspan", "title", "defs", "marker"].includes(name);
  const made = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
};

chainrule.data = (root, selector = "script.data") => JSON.parse(root.querySelector(selector).textContent);

// Numbers packed by numbers.py: the bits of the engine.
chainrule.unpack = function (packed) {
  const bytes = Uint8Array.from(atob(packed.bytes), (sign) => sign.charCodeAt(0));
  const kind = { float32: Float32Array, float64: Float64Array, int32: Int32Array }[packed.type];
  return new kind(bytes.buffer);
};

// What is only made when it is asked for: large arrays stay packed until someone reads them.
chainrule.once = function (make) { let made; return () => (made === undefined ? (made = make()) : made); };

// `start` is called once for each element that fits, also for those that a live page brings later.
chainrule.view = (selector, start) => chainrule.views.push([selector, start]);
chainrule.begin = function (root) {
  for (const [selector, start] of chainrule.views)
    for (const found of root.querySelectorAll(selector))
      if (!found.dataset.begun) { found.dataset.begun = "yes"; start(found); }
};

// Curves: a cursor that follows the pointer or the arrow keys, and the numbers below it.
chainrule.view("[data-chart]", (figure) => {
  const data = chainrule.data(figure), picture = figure.querySelector("svg"), reading = figure.querySelector("output");
  const [low, high, left, right] = data.across;
  const cursor = chainrule.make("line", { class: "cursor", y1: 10, y2: 196, visibility: "hidden" });
  picture.append(cursor);
  let place = data.x.length;
  const read = (next) => {
    place = Math.max(0, Math.min(data.x.length - 1, next));
    const at = left + ((data.x[place] - low) / (high - low || 1)) * (right - left);
    cursor.setAttribute("x1", at); cursor.setAttribute("x2", at); cursor.setAttribute("visibility", "visible");
    const parts = data.names.map((name, number) => [`${name} `, chainrule.make("b", {}, chainrule.show(data.series[number][place])), "  "]);
    reading.replaceChildren(`${data.x_name} ${chainrule.show(data.x[place])}:  `, ...parts.flat());
  };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect(), x = ((event.clientX - box.left) / box.width) * picture.viewBox.baseVal.width;
    const wanted = low + ((x - left) / (right - left)) * (high - low);
    let nearest = 0;
    data.x.forEach((each, number) => { if (Math.abs(each - wanted) < Math.abs(data.x[nearest] - wanted)) nearest = number; });
    read(nearest);
  });
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (step) { event.preventDefault(); read(place + step); }
  });
});

// The menu says where the reader is; a page inside a notebook is as high as its contents.
chainrule.menu = function () {
  const links = [...document.querySelectorAll("nav a")];
  if (!links.length || !("IntersectionObserver" in window)) return;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting)
      for (const link of links) link.classList.toggle("here", link.hash === `#${entry.target.id}`);
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const section of document.querySelectorAll("main > section")) seen.observe(section);
};
document.addEventListener("DOMContentLoaded", () => {
  chainrule.begin(document); chainrule.menu();
  const frame = document.body.classList.contains("inline") && window.frameElement;
  if (frame) new ResizeObserver(() => { frame.style.height = `${document.documentElement.offsetHeight + 8}px`; }).observe(document.body);
});
